"""The commands about real orders, one file each."""
