"""Rows of operators' own, and of what they look at."""
