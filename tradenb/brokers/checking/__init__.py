"""What is looked at before money is at stake: the account, the key, the exchange's own rules."""
