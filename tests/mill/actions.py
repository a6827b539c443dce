"""What is done in the mill."""

from __future__ import annotations

from uuid import UUID

import msgspec

from mill.events import FlourMade, GrainBrought
from tenantry import HOUSE, NewJob, SystemWork, action, new_id, run

keep_grain = run("insert into mill.grains (id) values (:id)")
keep_flour = run("insert into mill.flour (grain_id, how) values (:grain_id, :how)")
keep_ring = run("insert into mill.rings (tick) values (:tick)")
keep_tally = run("insert into mill.tally (generation, event_id) values (:generation, :event_id)")


class Grain(msgspec.Struct):
    """Which grain."""

    grain_id: UUID


@action(requires=HOUSE, records=GrainBrought)
async def bring(work: SystemWork) -> UUID:
    """Bring grain: it is ground after the commit, sifted in its turn, and reported on."""
    grain_id = new_id()
    await keep_grain(work, id=grain_id)
    work.record(GrainBrought(grain_id=grain_id))
    work.enqueue(NewJob.of("mill.sift", Grain(grain_id), queue="sieve", group="the sieve", tracked=True))
    return grain_id


@action(requires=HOUSE, records=FlourMade)
async def make_flour(work: SystemWork, *, grain_id: UUID, how: str) -> None:
    """Make flour of grain."""
    await keep_flour(work, grain_id=grain_id, how=how)
    work.record(FlourMade(grain_id=grain_id))
