"""Verifying: every seal and every row under one, against what they were when they were sealed."""

from __future__ import annotations

import msgspec

from tenantry.audit import queries
from tenantry.audit.models import FIRST, Fault, Place, Seal, faults_of, leaves_of, whole
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

EVERYTHING = "the chain of seals is one for the whole house"
MOST_PUT_IN = 1000
"""Rows that were put in below one seal, of which a verdict tells at most."""


class Verdict(msgspec.Struct):
    """What was looked at, what is wrong, and the last seal: kept elsewhere, it proves that no seal was made anew."""

    seals: int = 0
    rows: int = 0
    let_go: int = 0
    not_sealed_yet: int = 0
    last_seal: str | None = None
    faults: list[Fault] = msgspec.field(default_factory=list)


@exchange(requires=HOUSE)
async def verify_audit(call: Call, *, known: str | None = None) -> Verdict:
    """Go through the chain from its beginning; `known` is a seal that was kept elsewhere, as `number:digest`."""
    verdict, before, previous, missing = Verdict(), FIRST, b"", known
    while (seal := await _next_seal(call, verdict.seals)) is not None:
        if not whole(seal, number=verdict.seals + 1, previous=previous):
            verdict.faults.append(Fault("seal changed", seal.number))
        await _compare(call, verdict, seal, before)
        verdict.seals, verdict.last_seal = seal.number, seal.spoken
        missing = None if seal.spoken == known else missing
        before, previous = seal.place, seal.digest
    if missing is not None:
        verdict.faults.append(Fault("seal missing", _number_of(missing)))
    async with SystemWork(call, reason=EVERYTHING, reading=True) as work:
        verdict.not_sealed_yet = await queries.rows_behind(work, **msgspec.structs.asdict(before)) or 0
    return verdict


async def _next_seal(call: Call, number: int) -> Seal | None:
    async with SystemWork(call, reason=EVERYTHING, reading=True) as work:
        return await queries.seal_after(work, number=number)


async def _compare(call: Call, verdict: Verdict, seal: Seal, before: Place) -> None:
    """Add what is wrong with the rows of a seal, which begin behind the one before."""
    most = sum(1 for _ in leaves_of(seal)) + MOST_PUT_IN
    last = {f"last_{name}": part for name, part in msgspec.structs.asdict(seal.place).items()}
    async with SystemWork(call, reason=EVERYTHING, reading=True) as work:
        rows = await queries.rows_under_seal(work, **msgspec.structs.asdict(before), **last, most=most)
        details = await queries.details_of(work, ids=[row.id for row in rows])
        faults, gone = faults_of(seal, rows, details)
        removed = set(
            await queries.not_let_go(
                work,
                ids=[leaf.id for leaf in gone],
                whose=[leaf.whose for leaf in gone],
                ats=[leaf.at for leaf in gone],
            )
        )
    verdict.rows += len(rows)
    verdict.let_go += len(gone) - len(removed)
    verdict.faults += faults
    verdict.faults += [
        Fault("removed", seal.number, leaf.id, leaf.whose, leaf.at) for leaf in gone if leaf.id in removed
    ]


def _number_of(spoken: str) -> int:
    number = spoken.partition(":")[0]
    return int(number) if number.isdecimal() else 0
