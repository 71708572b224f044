"""The curve of a run: what it was worth at each close, over which time, against a benchmark."""
