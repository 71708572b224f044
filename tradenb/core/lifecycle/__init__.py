"""The lifecycle of one signal: a pure machine, one file for each state it can be in."""
