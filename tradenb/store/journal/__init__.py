"""Files that only grow: the events of a run, and what the run saw."""
