"""Shared by backtest and live: calls user code around the pure machine. No I/O, no clock."""
