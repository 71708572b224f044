"""`tn.lookahead`: whether a strategy decides by what it could not know yet."""
