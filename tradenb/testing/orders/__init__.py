"""Orders of rehearsals and of tests, without sockets.

`rehearsal_broker.py` gives rehearsals real orders; `venue_port.py` is the way to a `FaultyVenue`.
"""
