"""Gives an organization its own variant of a flag, and takes it back."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from tenantry.flags import actions
from tenantry.flags.cli.showing import OPERATOR, FlagKey, Whole, whole
from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.work import SystemWork

Org = Annotated[str, Option("The organization (`org_...`).")]


async def override(
    call: Call,
    *,
    org: Org,
    key: FlagKey,
    variant: Annotated[str, Option("Which variant it has.")],
    reason: Annotated[str, Option("Why; it is in the log.")],
) -> Whole:
    """Give an organization a variant of a flag whatever its rules say."""
    async with SystemWork(call, reason=OPERATOR) as work:
        await actions.override_flag(work, org_id=_org(org), key=key, variant=variant, reason=reason)
        return await whole(work, key)


async def lift(call: Call, *, org: Org, key: FlagKey) -> Whole:
    """Let an organization have of a flag what its rules give again."""
    async with SystemWork(call, reason=OPERATOR) as work:
        await actions.lift_flag_override(work, org_id=_org(org), key=key)
        return await whole(work, key)


def _org(org: str) -> UUID:
    if (found := ORG_ID.read(org)) is None:
        raise BadUsage("--org is an id such as org_01jd4w2q8nf6v9m3x5c7b1r0kt")
    return found


commands = (Command("flags", "override", override), Command("flags", "lift", lift))
