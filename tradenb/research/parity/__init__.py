"""`tn.parity`: why a live run and the backtest of the same period differ."""
