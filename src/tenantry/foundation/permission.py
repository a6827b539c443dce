"""Rights to use a verb: names a role can hold, and the three that need no role."""

from __future__ import annotations

import msgspec


class Permission(msgspec.Struct, frozen=True):
    """The right to use a verb: a stable name and what it allows, in a sentence."""

    name: str
    allows: str


ANYONE = Permission("anyone", "Open to everybody, signed in or not.")
ONESELF = Permission("oneself", "Open to each person for what is their own.")
HOUSE = Permission("house", "Done by the house itself: jobs, schedules and operators' commands.")
EVERYWHERE = (ANYONE, ONESELF, HOUSE)
