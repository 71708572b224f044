"""Money of a run: the account, the steps of a market, what an entry may cost, and funding."""
