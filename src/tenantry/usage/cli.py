"""What the command line does with usage: shows what an organization used, and proves every sum from its events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.work import SystemWork
from tenantry.usage import exchanges, queries
from tenantry.usage.actions import period_of
from tenantry.usage.exchanges import Proof
from tenantry.usage.models import Asked, Period, Sum


class Used(msgspec.Struct, frozen=True):
    """What an organization used, by billing period, each meter for itself."""

    org: str
    period: Period
    sums: list[Sum]


class Difference(msgspec.Struct, frozen=True):
    """A sum that is not what its events make."""

    org: str
    by: str
    meter: str
    start: datetime
    kept: int | None
    counted: int | None


class Verdict(msgspec.Struct, frozen=True):
    """Whether every sum follows from its events."""

    orgs: int
    wrong: int
    differences: list[Difference]


async def show(call: Call, *, org: Annotated[str, Option("The organization (`org_...`).")]) -> Used:
    """Show what an organization used, by billing period."""
    async with SystemWork(call, reason="an operator looks at usage", reading=True) as work:
        org_id = _org(org)
        current = await period_of(work, org_id)
        always = Period(datetime.min.replace(tzinfo=current.start.tzinfo), current.end)
        found = await queries.sums(work, org_id, Asked("period", always), current=current)
    return Used(org, current, found)


async def prove(
    call: Call, *, org: Annotated[str | None, Option("Only this organization (`org_...`).")] = None
) -> Verdict:
    """Recompute every sum from its events and name those that differ."""
    proof = await exchanges.prove_usage(call, org_id=None if org is None else _org(org))
    return _verdict(proof)


def _verdict(proof: Proof) -> Verdict:
    found = [
        Difference(ORG_ID.text(one.org_id), one.by, one.meter, one.start, one.kept, one.counted)
        for one in proof.differences
    ]
    return Verdict(proof.orgs, proof.wrong, found)


def _org(text: str) -> UUID:
    if (found := ORG_ID.read(text)) is None:
        raise BadUsage("--org is an id such as org_01jd4w2q8nf6v9m3x5c7b1r0kt")
    return found


def _wrong(verdict: msgspec.Struct) -> bool:
    return isinstance(verdict, Verdict) and verdict.wrong > 0


commands = (
    Command("usage", "show", show),
    Command("usage", "prove", prove, failed=_wrong),
)
