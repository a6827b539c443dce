"""What the command line does with flags, a file a noun: what there is, definitions and rules, overrides."""

from __future__ import annotations

from tenantry.flags.cli import changing, overriding, showing

commands = (*showing.commands, *changing.commands, *overriding.commands)

__all__ = ["commands"]
