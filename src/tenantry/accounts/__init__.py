"""People: users, credentials, sessions, one-time tokens."""
