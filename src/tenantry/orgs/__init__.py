"""Tenants: organizations, who belongs to them in which role, and who is invited. The domain to copy."""
