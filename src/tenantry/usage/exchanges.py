"""Verbs of usage in steps: every sum is recomputed from its events, some organizations a transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec

from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.data.database import system_context
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork
from tenantry.usage import queries
from tenantry.usage.models import Differs

PROVED_AT_ONCE = 50
"""Organizations whose sums are recomputed by one statement."""
MOST_TOLD = 1000
"""Sums that differ which are named; the rest is counted."""
_NOBODYS = UUID(int=0)


class Proof(msgspec.Struct):
    """How many organizations' sums were recomputed, and which of them are not what their events make."""

    orgs: int = 0
    wrong: int = 0
    differences: list[Differs] = msgspec.field(default_factory=list)


class ProvingWork(SystemWork):
    """One look at sums and all of their events, which takes as long as it takes."""

    patience = 601.0
    __slots__ = ()

    def context(self) -> str:
        return f"{system_context()};set local statement_timeout='10min'"


@exchange(requires=HOUSE)
async def prove_usage(call: Call, *, org_id: UUID | None = None) -> Proof:
    """Recompute every sum whose events are kept, of one organization or of all, and name those that differ."""
    proof = Proof()
    async for orgs in _some([org_id]) if org_id is not None else _all(call):
        for statement in queries.DIFFERENCES:
            async with ProvingWork(call, reason="sums are proved whoever's they are", reading=True) as work:
                found = await statement(work, orgs=orgs)
            proof.wrong += len(found)
            proof.differences += found[: MOST_TOLD - len(proof.differences)]
        proof.orgs += len(orgs)
    return proof


async def _some(orgs: Sequence[UUID]) -> AsyncIterator[Sequence[UUID]]:
    yield orgs


async def _all(call: Call) -> AsyncIterator[Sequence[UUID]]:
    after = _NOBODYS
    while True:
        async with ProvingWork(call, reason="sums are proved whoever's they are", reading=True) as work:
            orgs = await queries.orgs_after(work, after=after, most=PROVED_AT_ONCE)
        if not orgs:
            return
        yield orgs
        after = orgs[-1]
