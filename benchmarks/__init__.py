"""Measurements of what this project does against what a user would otherwise have, in one run on one machine."""
