"""The document of a run: read, checked, committed, and migrated from older versions."""
