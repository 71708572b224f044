"""The commands of `tradenb`, one file each."""
