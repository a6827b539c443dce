"""Rights to use a verb: names that the roles of an organization hold, and the three that need no role."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["owner", "admin", "member"]
ROLES: tuple[Role, ...] = ("member", "admin", "owner")
"""The roles in an organization, the lowest first; each may do all that those before it may."""
OWNERS: tuple[Role, ...] = ROLES[2:]
ADMINS: tuple[Role, ...] = ROLES[1:]
MEMBERS: tuple[Role, ...] = ROLES
OperatorRole = Literal["viewer", "support", "admin"]
OPERATORS: tuple[OperatorRole, ...] = ("viewer", "support", "admin")
"""The roles of those who run the installation, the lowest first; each may do all that those before it may."""


class Permission(msgspec.Struct, frozen=True):
    """The right to use a verb: a stable name, what it allows, in a sentence, and which roles hold it in their org.

    `by_key`: whether an API key may hold it, too, as a scope of the same name. `operators` are those who hold it
    beyond organizations; `recent`: only for a while after they signed in.
    """

    name: str
    allows: str
    roles: tuple[Role, ...] = ()
    by_key: bool = True
    operators: tuple[OperatorRole, ...] = ()
    recent: bool = False


ANYONE = Permission("anyone", "Open to everybody, signed in or not.")
ONESELF = Permission("oneself", "Open to each person for what is their own.")
HOUSE = Permission("house", "Done by the house itself: jobs, schedules and operators' commands.")
EVERYWHERE = (ANYONE, ONESELF, HOUSE)


def rank(role: Role) -> int:
    """How high a role stands: nobody grants, changes or removes one that is above their own."""
    return ROLES.index(role)
