"""Shows flags, and which of them have outlived their use."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from tenantry.flags import queries
from tenantry.flags.models import Definition, StoredFlag, declared
from tenantry.flags.problems import UnknownFlag
from tenantry.foundation.call import Call
from tenantry.foundation.command import Command, Option
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.work import SystemWork

OPERATOR = "an operator looks after the flags of the whole house"
IDLE = timedelta(days=30)
"""For so long a flag gives everybody the same, or is not asked for, until the report of stale flags names it."""
MOST_OVERRIDES = 1_000
"""Overrides that `tenantry flags show` lists."""

FlagKey = Annotated[str, Option("The flag.", flag="--key")]


class FlagLine(msgspec.Struct, frozen=True):
    """A flag in the list; a version of 0 is one that is declared by a domain and has no row."""

    key: str
    kind: str
    default: str
    rules: int
    killed: bool
    visible: bool
    version: int
    description: str


class FlagLines(msgspec.Struct, frozen=True):
    """All flags."""

    flags: list[FlagLine]


class OverrideLine(msgspec.Struct, frozen=True):
    """An organization that has its own variant, and why."""

    org: str
    variant: str
    reason: str


class Whole(msgspec.Struct, frozen=True):
    """A flag with all that is known of it; a version of 0 is one that is declared by a domain and has no row."""

    key: str
    version: int
    killed: bool
    kind: str
    variants: dict[str, Any]
    default: str
    off: str | None
    salt: str
    visible: bool
    description: str
    team: str | None
    expires: datetime | None
    rules: list[Any]
    overrides: list[OverrideLine]


class StaleLine(msgspec.Struct, frozen=True):
    """A flag that should go, and why."""

    key: str
    team: str | None
    because: list[str]
    evaluations: int
    evaluated_at: datetime | None
    expires_at: datetime | None
    same_since: datetime | None


class StaleLines(msgspec.Struct, frozen=True):
    """The flags that have outlived their use."""

    stale: list[StaleLine]


async def show_flags(call: Call) -> FlagLines:
    """Show all flags, those that are declared by domains and have no row of their own too."""
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        stored = {flag.key: flag for flag in await queries.every_flag(work)}
    unstored = {flag.key: declared(flag) for flag in call.runtime.flags if flag.key not in stored}
    lines = [_stored_line(flag) for flag in stored.values()]
    lines += [_line(key, definition, killed=False, version=0) for key, definition in unstored.items()]
    return FlagLines(sorted(lines, key=lambda line: line.key))


async def show_flag(call: Call, *, key: FlagKey) -> Whole:
    """Show one flag with its rules and overrides."""
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        return await whole(work, key)


async def show_stale(call: Call) -> StaleLines:
    """Show the flags that are past their end, give everybody the same for 30 days, or are not asked for as long."""
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        found = await queries.worn(work, idle=IDLE)
    return StaleLines([
        StaleLine(
            one.key, one.team, one.reasons, one.evaluations, one.evaluated_at, one.expires_at, one.same_since
        )
        for one in found
    ])  # fmt: skip


async def whole(work: SystemWork, key: str) -> Whole:
    """A flag as it is shown; UnknownFlag for one that is neither stored nor declared."""
    stored = await queries.flag(work, key=key)
    definition, version = await definition_of(work, key)
    if definition is None:
        raise UnknownFlag(f"There is no flag {key}, and no domain declares one.")
    told = msgspec.to_builtins(msgspec.structs.asdict(definition), builtin_types=(datetime,))
    overrides = [
        OverrideLine(ORG_ID.text(one.org_id), one.variant, one.reason)
        for one in await queries.overrides_of(work, key=key, most=MOST_OVERRIDES)
    ]
    killed = stored is not None and stored.killed
    return Whole(key=key, version=version, killed=killed, overrides=overrides, **told)


async def definition_of(work: SystemWork, key: str) -> tuple[Definition | None, int]:
    """How a flag is defined, and in which version: 0 for one that is declared only, or is not there."""
    stored = await queries.flag(work, key=key)
    if stored is not None:
        return stored.definition, stored.version
    own = next((flag for flag in work.runtime.flags if flag.key == key), None)
    return None if own is None else declared(own), 0


def _stored_line(flag: StoredFlag) -> FlagLine:
    rules = len(msgspec.json.decode(flag.rules))
    return FlagLine(
        flag.key, flag.kind, flag.default_variant, rules, flag.killed, flag.visible, flag.version, flag.description
    )


def _line(key: str, one: Definition, *, killed: bool, version: int) -> FlagLine:
    return FlagLine(key, one.kind, one.default, len(one.rules), killed, one.visible, version, one.description)


commands = (
    Command("flags", "list", show_flags),
    Command("flags", "show", show_flag),
    Command("flags", "stale", show_stale),
)
