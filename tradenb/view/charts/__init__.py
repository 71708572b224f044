"""Interactive charts by plotly."""
