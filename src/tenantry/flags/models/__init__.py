"""What flags are and how they are decided: definitions, rows, functions and snapshots, a file a noun."""

from __future__ import annotations

from tenantry.flags.models.compiling import Details, Fault, Flag, Reason, part_of
from tenantry.flags.models.contexts import Context
from tenantry.flags.models.definitions import WHOLE, Condition, Definition, Rule, Share, chain_fault, declared
from tenantry.flags.models.flags import Mark, Override, StoredFlag, Worn
from tenantry.flags.models.snapshots import Snapshot, Times, asked_most, snapshot

__all__ = [
    "WHOLE",
    "Condition",
    "Context",
    "Definition",
    "Details",
    "Fault",
    "Flag",
    "Mark",
    "Override",
    "Reason",
    "Rule",
    "Share",
    "Snapshot",
    "StoredFlag",
    "Times",
    "Worn",
    "asked_most",
    "chain_fault",
    "declared",
    "part_of",
    "snapshot",
]
