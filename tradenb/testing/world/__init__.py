"""The live loop in virtual time: a fake clock, exchange and disk, and what is checked."""
