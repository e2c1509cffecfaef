"""Training: data, loop, recipes."""
