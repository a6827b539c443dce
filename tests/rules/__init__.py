"""The architecture as tests: what DESIGN and STYLE promise and a machine can hold. What only a reader can judge is in STYLE.md."""
