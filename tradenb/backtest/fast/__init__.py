"""The fast ways to the same trades, for strategies that need no machine."""
