"""What follows when grain is brought, and what the mill does by itself."""

from __future__ import annotations

from collections.abc import Sequence

from mill import actions
from mill.actions import Grain
from mill.events import GrainBrought
from tenantry import ConsumerWork, Job, Logged, Queue, consumer, every, handles, on, run

SIEVE = Queue("sieve", at_once=1, per_group=1)
clear_tally = run("""
    delete from mill.tally
     where ctid = any (array(select ctid from mill.tally where generation = :generation limit :most))
""")


@on(GrainBrought)
async def grind(job: Job, event: GrainBrought) -> None:
    """Grind it."""
    async with job.work(reason="a trial") as work:
        await actions.make_flour(work, grain_id=event.grain_id, how="ground")


@handles("mill.sift", queue=SIEVE, tracked=True)
async def sift(job: Job, grain: Grain) -> None:
    """Sift it, one after the other."""
    await job.report(done=1, total=2, note="sifting")
    async with job.work(reason="a trial") as work:
        await actions.make_flour(work, grain_id=grain.grain_id, how="sifted")


@every(seconds=2, missed="all")
async def ring(job: Job) -> None:
    """Ring the bell, once a tick."""
    async with job.work(reason="a trial") as work:
        await actions.keep_ring(work, tick=job.tick)


@consumer(GrainBrought, clear=clear_tally)
async def tally(work: ConsumerWork, happened: Sequence[Logged]) -> None:
    """Count what was brought."""
    for one in happened:
        await actions.keep_tally(work, generation=work.generation, event_id=one.public_id)
