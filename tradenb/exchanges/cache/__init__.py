"""Candles of exchanges, cached on disk, a file for each month."""
