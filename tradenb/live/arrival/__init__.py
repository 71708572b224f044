"""When candles arrive, how late, and what is changed in them afterwards; pure."""
