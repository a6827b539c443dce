"""A process of its own that works or uses: `rationed_process.py work|use DSN FOLDER [ORG]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from rationed import RUNS, org_call, plan_file, registry

from tenantry import use
from tenantry.assemble import build_runtime
from tenantry.foundation.jobs.worker import drain_jobs
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork
from tenantry.settings import read_settings
from tenantry.testing.installation import MASTER_KEYS

KNOWN = registry()


def runtime_on(dsn: str, folder: Path) -> Runtime:
    """A runtime as the installation's own."""
    environ = {
        "TENANTRY_ENVIRONMENT": "development",
        "TENANTRY_DATABASE_URL": dsn,
        "TENANTRY_DATA": str(folder),
        "TENANTRY_MASTER_KEYS": MASTER_KEYS,
        **plan_file(folder),
    }
    return build_runtime(read_settings(KNOWN.sections, environ=environ, dotenv=None), KNOWN)


async def use_on_and_on(runtime: Runtime, org: UUID) -> None:
    """Use a little, and then a little more."""
    many = 0
    while True:
        async with SystemWork(org_call(runtime, org), reason="a test") as work:
            await use(work, RUNS, quantity=1 + many % 3)
        many += 1


async def main(what: str, dsn: str, folder: str, *orgs: str) -> None:
    runtime = runtime_on(dsn, Path(folder))
    if what == "work":
        await drain_jobs(runtime, KNOWN.handlers)
    else:
        async with asyncio.TaskGroup() as tasks:
            for org in orgs:
                tasks.create_task(use_on_and_on(runtime, UUID(org)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
