"""`bin/dev`: one process that keeps a whole development installation running on loopback."""
