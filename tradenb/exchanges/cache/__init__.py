"""Candles of exchanges, kept on disk by the month."""
