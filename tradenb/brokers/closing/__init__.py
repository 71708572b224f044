"""Ending what is at an exchange without the run that began it."""
