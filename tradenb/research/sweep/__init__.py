"""Many settings of one strategy: sweep, walk-forward, comparison and ranking."""
