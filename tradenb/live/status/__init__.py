"""How a live run is now, and what it has done, from memory or from its files."""
