"""The commands about live runs, one file each."""
