"""The audit log: who did what to whom, read, taken away as a file, sealed against tampering, and kept for a time."""
