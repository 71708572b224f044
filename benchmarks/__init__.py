"""Speed and memory of tradenb, measured and never tested: `make bench`."""
