"""Operators: who runs this installation for everybody, and what they may look at and do."""
