"""How a run behaves, in words: what its asks came to, and how it goes beside its backtest."""
