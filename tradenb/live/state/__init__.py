"""What a live run keeps on disk, and the risk books it shares with other runs."""
