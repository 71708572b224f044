"""`tn.notify`: messages to a person about what live runs do, off the loop that does it."""
