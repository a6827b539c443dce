"""A worker process under test: `python -m bench.product.worker drain N [BUSY]`, or `serve` and answer on its input.

`drain` asks for N jobs, says `filled`, works until none is left and prints what that took. `serve` works until its
input ends; a line `read` is answered with what has been done so far.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

import asyncpg
import uvloop

from bench.product.house import ask, equipped
from bench.product.jobs import BEGAN, TALLY
from bench.spy import Spy, spying
from tenantry.entrypoints.worker import serve
from tenantry.foundation.domain import Registry
from tenantry.foundation.logs import configure_logs
from tenantry.foundation.runtime import Runtime

TAKING = "insert into tenantry.job_runs"
"""What the statements that claim jobs have in common."""
MOST_SAID = 1000
LEFT = """
    select (exists (select from tenantry.jobs where kind like 'bench.%')
         or exists (select from tenantry.job_runs where kind like 'bench.%'))::integer
"""


async def main(mode: str, jobs: int) -> None:
    """Work as `tenantry worker` does, with the bench's product beside core's own domains."""
    configure_logs(level="warning", form="json")
    environ = {name: value for name, value in os.environ.items() if name.startswith("TENANTRY_")}
    runtime, registry = equipped(environ)
    with spying() as spy:
        if mode == "drain":
            await drain(runtime, registry, jobs)
            print(json.dumps({"claims": spy.seconds(TAKING)}), flush=True)
        else:
            await answer(runtime, registry, spy)
    await runtime.stop()


async def drain(runtime: Runtime, registry: Registry, jobs: int) -> None:
    """Fill, then work until the database holds none of them any more."""
    looking: Any = await asyncpg.connect(runtime.database.url, timeout=10)
    await ask(runtime, jobs)
    await looking.execute("vacuum analyze", timeout=300)
    await looking.execute("set role tenantry_system")
    print("filled", flush=True)
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(runtime, registry, stop))

    async def left() -> int:
        found: int = await looking.fetchval(LEFT)
        return found

    await TALLY.until(jobs, left)
    stop.set()
    await serving
    await looking.close()


async def answer(runtime: Runtime, registry: Registry, spy: Spy) -> None:
    """Work, and say on being asked how far it is."""
    loop, stop, lines = asyncio.get_running_loop(), asyncio.Event(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    serving = asyncio.create_task(serve(runtime, registry, stop))
    print("serving", flush=True)
    while await lines.readline():
        print(json.dumps(so_far(spy)), flush=True)
        spy.messages.clear()
    stop.set()
    await serving


def so_far(spy: Spy) -> dict[str, Any]:
    """How many no-op jobs were done, which numbered ones began when, and what was said since the last question."""
    said = [" ".join(message[:90].split()) for message, _ in spy.messages[:MOST_SAID]]
    return {"at": time.monotonic(), "done": TALLY.count, "began": BEGAN, "said": said}


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else 0))
