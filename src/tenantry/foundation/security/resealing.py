"""Resealing: every sealed value is opened, and what an older master key sealed is sealed under the first one.

One commit a value: it can be stopped and run again, and holding one row it never waits for another, so that everything
goes on beside it. A value that changed after it was read is left to whoever changed it, and looked at once more.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tenantry.foundation.call import Call
from tenantry.foundation.security.sealed import SealedColumn, SealedValue
from tenantry.foundation.security.sealing import SealBroken, place
from tenantry.foundation.work import SystemWork

RESEALING = "sealing anew what is sealed"
PASSES = 10
"""Times a column is gone through, as long as its values change meanwhile."""


class Resealed(msgspec.Struct):
    """How many values were sealed anew, how many were already, and which rows do not open; never their values."""

    resealed: int = 0
    already: int = 0
    broken: tuple[str, ...] = ()


async def reseal(call: Call, columns: Iterable[SealedColumn]) -> Resealed:
    """Have every sealed value sealed under the first master key; the others are not needed for them afterwards."""
    total = Resealed()
    for column in columns:
        for _ in range(PASSES):
            found, changed_meanwhile = await _go_through(call, column)
            total.resealed += found.resealed
            if not changed_meanwhile:
                break
        else:
            found.broken = (*found.broken, f"{column.name} keeps changing after {PASSES} passes")
        # what a last pass saw of a column is how the column is
        total.already += found.already
        total.broken = (*total.broken, *found.broken)
    async with SystemWork(call, reason=RESEALING) as work:
        work.note("house:secrets:resealed", after={"resealed": total.resealed, "broken": len(total.broken)})
    return total


async def _go_through(call: Call, column: SealedColumn) -> tuple[Resealed, bool]:
    found, changed_meanwhile, after = Resealed(), False, ""
    while True:
        async with SystemWork(call, reason=RESEALING, reading=True) as work:
            values = await column.batch(work, after=after, most=column.at_once)
        for value in values:
            changed_meanwhile |= not await _reseal_one(call, column, value, found)
        if not values:
            return found, changed_meanwhile
        after = values[-1].row


async def _reseal_one(call: Call, column: SealedColumn, value: SealedValue, found: Resealed) -> bool:
    """Whether that is done with; not if the value changed after it was read."""
    sealer = call.runtime.sealer
    here = place(column.table, column.column, org=value.org, row=value.row)
    try:
        plain = sealer.open(value.blob, aad=here)
    except SealBroken as error:
        found.broken = (*found.broken, f"{column.name} of {value.row}: {error.fault}")
        return True
    if not sealer.needs_reseal(value.blob):
        found.already += 1
        return True
    fresh = sealer.seal(plain, aad=here)
    async with SystemWork(call, reason=RESEALING) as work:
        if not await column.replace(work, row=value.row, old=value.blob, fresh=fresh):
            return False
    found.resealed += 1
    return True
