"""The figures of a run: formulas of its trades, its equity, breakdowns. No charts."""
