"""The pure machine: closed candles in, events out. It knows no clock, disk, thread or network."""
