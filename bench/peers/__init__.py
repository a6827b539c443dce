"""The peers: each has its own hashed lock and its own environment below `.tenantry/bench/`."""
