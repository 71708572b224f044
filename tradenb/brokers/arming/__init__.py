"""The permission to send entries: its file, the one-time code, the book of an account, its trips.

`arm_file.py` reads and writes the permission, `one_time_code.py` asks a person for it. What cannot
be read is not a permission. Protection and exits never ask here.
"""
