"""What a strategy may look at: windows, frames and indicators that end at the present."""
