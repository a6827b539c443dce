"""Sealing: rows that nothing can come before any more are put under the next seal of the chain."""

from __future__ import annotations

import msgspec

from tenantry.audit import queries
from tenantry.audit.models import FIRST, ROWS_A_SEAL, seal_over
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

# two who seal at the same moment would fork the chain: the number decides, and the other finds nothing done
keep_seal = run("""
    insert into tenantry.audit_seals (number, epoch, tx, id, rows, leaves, previous, digest)
    values (:number, :epoch, (:tx::bigint)::text::xid8, :id, :rows, :leaves, :previous, :digest)
        on conflict (number) do nothing
""")


@action(requires=HOUSE)
async def seal_audit(work: SystemWork) -> int:
    """Seal the next batch of rows; says how many."""
    last = await queries.last_seal(work)
    after = FIRST if last is None else last.place
    rows = await queries.rows_to_seal(work, most=ROWS_A_SEAL, **msgspec.structs.asdict(after))
    if not rows:
        return 0
    number, previous = (1, b"") if last is None else (last.number + 1, last.digest)
    seal = seal_over(rows, number=number, previous=previous)
    return len(rows) if await keep_seal(work, rows=len(rows), **msgspec.structs.asdict(seal)) else 0
