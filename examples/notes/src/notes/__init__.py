"""Notes: the smallest real product on Tenantry."""
