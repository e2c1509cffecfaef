"""Arrays to pictures. Knows nothing of networks."""
