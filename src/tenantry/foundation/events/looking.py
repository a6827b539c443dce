"""Looking at the log for all consumers at once: a transaction that only reads, planned for the log's order."""

from __future__ import annotations

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.database import system_context
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork

# statistics lag behind a table that only grows; the log's index is in its order
_PLANS = "set local enable_seqscan=off;set local enable_bitmapscan=off;set local enable_sort=off;set local jit=off"


class LookingWork(SystemWork):
    """A look of the house at the log and at who reads it."""

    __slots__ = ()

    def __init__(self, runtime: Runtime, *, reason: str) -> None:
        super().__init__(Call(runtime, Actor("house", name="consumers"), str(new_id())), reason=reason, reading=True)

    def context(self) -> str:
        return f"{system_context()};{_PLANS}"
