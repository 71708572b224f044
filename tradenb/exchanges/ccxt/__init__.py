"""Exchanges through ccxt: the client, its options and keys, and the source of candles."""
