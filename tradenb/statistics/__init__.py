"""The figures of closed trades: formulas, equity curve, breakdowns. No charts."""
