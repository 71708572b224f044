"""Small charts as inline SVG: the equity line and the price of a live run."""
