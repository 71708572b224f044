"""What is on disk, and how it gets there: plain dicts in, plain dicts out.

One document per live run is the truth (`document`); the journal and the views follow from it. The
disk itself is a parameter everywhere (`filesystem`). Nothing here knows numpy, pandas or the
machine: `engine.serialise` turns its state into the dicts that are kept here.
"""
