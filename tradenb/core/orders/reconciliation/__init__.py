"""Orders, trades and balance of the exchange against the ledger."""
