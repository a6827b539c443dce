"""API keys: what lets a program act in one organization, with no more rights than were given to it."""
