"""The proof that an exported script gives the same trades as the notebook."""
