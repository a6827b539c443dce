"""Fuzzing of the served document."""
