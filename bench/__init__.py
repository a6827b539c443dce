"""The load harness and what it compares with: ratios taken in one run, never carried over from another."""
