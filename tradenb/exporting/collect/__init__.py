"""Collecting what a strategy needs from a notebook: definitions, imports and values."""
