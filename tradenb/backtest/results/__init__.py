"""What a backtest gives: `Result`, its figures, and what should be known of it."""
