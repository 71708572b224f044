"""Candles from tables: DataFrames, files, and what functions of the user return."""
