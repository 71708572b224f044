"""Candles: as a source gives them, the tests they pass, and the arrays the machine reads."""
