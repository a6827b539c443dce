"""Rates: how often somebody may ask, decided in memory, and counted together by all processes."""
