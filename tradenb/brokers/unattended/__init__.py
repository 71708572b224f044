"""The orders of runs that no process has, or whose process hangs."""
