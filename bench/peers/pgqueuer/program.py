"""A PGQueuer worker under test, run by its own environment: `program.py BATCH JOBS` fills, then drains."""

from __future__ import annotations

import asyncio
import os
import sys

import asyncpg
import uvloop
from bench.tally import Tally
from pgqueuer import AsyncpgDriver, PgQueuer, Queries
from pgqueuer.models import Job

CHUNK = 1000


async def main(*, batch: int, jobs: int) -> None:
    """Its own worker on one connection, as its documentation shows; only the batch is said."""
    url = os.environ["PEER_DATABASE_URL"]
    working, looking = await asyncpg.connect(url), await asyncpg.connect(url)
    await fill(looking, jobs)
    print("filled", flush=True)
    worker, tally = PgQueuer(AsyncpgDriver(working)), Tally()

    @worker.entrypoint("noop")
    async def noop(job: Job) -> None:
        tally.add()

    async def left() -> int:
        found: int = await looking.fetchval("select count(*) from (select from pgqueuer limit 1) as one")
        return found

    running = asyncio.create_task(worker.run(batch_size=batch))
    await tally.until(jobs, left)
    worker.shutdown.set()
    await running
    await looking.close()


async def fill(connection: asyncpg.Connection, jobs: int) -> None:
    """An installation of its own each time, then the jobs; analyzed, as autovacuum would have by then."""
    queries = Queries(AsyncpgDriver(connection))
    if await queries.schema_is_installed():
        await queries.uninstall()
    await queries.install()
    for start in range(0, jobs, CHUNK):
        count = min(CHUNK, jobs - start)
        await queries.enqueue(["noop"] * count, [None] * count, [0] * count)
    await connection.execute("vacuum analyze")


if __name__ == "__main__":
    uvloop.run(main(batch=int(sys.argv[1]), jobs=int(sys.argv[2])))
