"""Strategies, risk rules and their names: declared by decorators, checked, and registered."""
