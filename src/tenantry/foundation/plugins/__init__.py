"""Plugins: domains from other distributions, found by entry point, enabled by name, reported where they do not work."""
