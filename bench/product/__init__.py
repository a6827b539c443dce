"""The product that `bundle`, `jobs` and `log` put on Tenantry: one table, two events, a few handlers that do nothing.

It is a domain like any other, registered beside core's own; no plugin, as nothing of it shall be installed.
"""
