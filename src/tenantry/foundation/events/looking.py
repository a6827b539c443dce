"""Looking at the log for all consumers at once: a transaction that only reads, planned for the log's order.

Measures nothing: the command line looks too, and the metrics library must not be imported before a server says where
its processes count together.
"""

from __future__ import annotations

from collections.abc import Iterable

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.database import system_context
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.events.consumer import Consumer
from tenantry.foundation.events.standing import Standing, standing
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork, Work

STUCK_AFTER = 3
"""Failures on one event after which a consumer counts as stuck."""
# statistics lag behind a table that only grows; the log's index is in its order
_PLANS = "set local enable_seqscan=off;set local enable_bitmapscan=off;set local enable_sort=off;set local jit=off"


class LookingWork(SystemWork):
    """A look of the house at the log and at who reads it."""

    __slots__ = ()

    def __init__(self, runtime: Runtime, *, reason: str) -> None:
        super().__init__(Call(runtime, Actor("house", name="consumers"), str(new_id())), reason=reason, reading=True)

    def context(self) -> str:
        return f"{system_context()};{_PLANS}"


async def standings(work: Work, consumers: Iterable[Consumer]) -> list[Standing]:
    """How each generation of each consumer stands, those that nobody knows any more included."""
    return await standing(work, **asked(consumers), stuck_after=STUCK_AFTER)


def asked(consumers: Iterable[Consumer]) -> dict[str, list[str | None]]:
    """The consumers as a statement takes them: their names, and the kinds of events of each."""
    told = list(consumers)
    kinds = [None if one.kinds is None else ",".join(one.kinds) for one in told]
    return {"names": [one.name for one in told], "kinds": kinds}
