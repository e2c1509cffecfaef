"""Checkpoints: the variant table, and the way from a name to a ready model."""
