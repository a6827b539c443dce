"""The architecture as tests: what the design promises and a machine can hold. What needs a reader is in STYLE.md."""
