"""What is wrong with what a strategy says: rules by name, each with value and bound."""
