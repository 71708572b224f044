"""The same strategies in tradenb and in backtesting.py: `make peers`."""
