"""What people are shown of orders and accounts, as plain records; from files and ledgers alone."""
