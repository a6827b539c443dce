"""A procrastinate worker under test, run by its own environment: `program.py CONCURRENCY JOBS`."""

from __future__ import annotations

import asyncio
import os
import sys

import psycopg
import uvloop
from bench.tally import Tally
from procrastinate import App, PsycopgConnector

CHUNK = 500
LEFT = "select count(*) from (select from procrastinate_jobs where status in ('todo', 'doing') limit 1) as one"


async def main(*, concurrency: int, jobs: int) -> None:
    """Its own worker with its own defaults, but for how many jobs it runs at a time."""
    url, tally = os.environ["PEER_DATABASE_URL"], Tally()
    app = App(connector=PsycopgConnector(conninfo=url))

    @app.task(name="noop")
    async def noop() -> None:
        tally.add()

    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as looking, app.open_async():
        await looking.execute("drop schema public cascade")
        await looking.execute("create schema public")
        await app.schema_manager.apply_schema_async()
        for start in range(0, jobs, CHUNK):
            await noop.batch_defer_async(*({} for _ in range(min(CHUNK, jobs - start))))
        await looking.execute("vacuum analyze")

        async def left() -> int:
            row = await (await looking.execute(LEFT)).fetchone()
            return int(row[0]) if row else 0

        print("filled", flush=True)
        working = app.run_worker_async(concurrency=concurrency, install_signal_handlers=False)
        running = asyncio.create_task(working)
        await tally.until(jobs, left)
        running.cancel()
        await asyncio.wait([running], timeout=10)


if __name__ == "__main__":
    uvloop.run(main(concurrency=int(sys.argv[1]), jobs=int(sys.argv[2])))
