"""Core's own history of the schema, one revision a file; a plugin keeps its own beside its code."""
