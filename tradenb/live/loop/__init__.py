"""The live loop: the supervised thread, its ticks, and the candles it waits for."""
