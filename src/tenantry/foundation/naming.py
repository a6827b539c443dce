"""What a verb or a job is called: its domain's name and its own, wherever the domain's package lies."""

from __future__ import annotations

from itertools import pairwise

OF_A_DOMAIN = frozenset(("actions", "exchanges", "jobs"))


def named(module: str, function: str) -> str:
    """`notes.keep` for `keep` in `notes/actions.py`, in `acme/notes/actions/notes.py` and in `tenantry/notes/...`."""
    parts = module.removeprefix("tenantry.").split(".")
    domain = next((before for before, part in pairwise(parts) if part in OF_A_DOMAIN), parts[0])
    return f"{domain}.{function}"
