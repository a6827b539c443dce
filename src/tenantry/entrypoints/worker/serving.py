"""Serving jobs: a worker and a ticker until told to stop, gone within 30 seconds."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

from tenantry.foundation.domain import Registry
from tenantry.foundation.events.following import Follower
from tenantry.foundation.housekeeping import months_at_start
from tenantry.foundation.jobs.ticker import Ticker
from tenantry.foundation.jobs.worker import Pace, Worker
from tenantry.foundation.logs import get_logger
from tenantry.foundation.runtime import Runtime

log = get_logger("tenantry.jobs")
LAST_MOMENT = 29.0
"""Seconds that a worker has to end when it is told to."""


async def serve(
    runtime: Runtime,
    registry: Registry,
    stop: asyncio.Event,
    *,
    concurrency: int = 100,
    pace: Pace = Pace(),  # noqa: B008  (frozen)
) -> None:
    """Do the jobs, tick the schedules, serve the consumers of every domain and what it does beside, until `stop`."""
    worker = Worker(runtime, registry.handlers, concurrency=concurrency, pace=pace)
    log.info("worker started", worker=str(worker.id), kinds=len(registry.handlers))
    async with asyncio.TaskGroup() as group:
        beside = [
            group.create_task(Ticker(runtime, registry.handlers).run()),
            group.create_task(Follower(runtime, registry.consumers, ear=worker.ear).run()),
            group.create_task(months_at_start(runtime)),
        ]
        for one in registry.beside:
            # these end by themselves, soon after the jobs
            group.create_task(one(runtime, worker.ear, stop))
        try:
            await worker.run(stop)
        finally:
            for task in beside:
                task.cancel()
    await runtime.bell.close()
    log.info("worker stopped", worker=str(worker.id))


async def serve_until_told(runtime: Runtime, registry: Registry) -> None:
    """Do the jobs of every domain until SIGTERM or SIGINT; the whole life of a worker process."""
    stop = asyncio.Event()
    stop_at_signals(stop)
    try:
        await serve(runtime, registry, stop)
    finally:
        await runtime.stop()


def stop_at_signals(stop: asyncio.Event) -> None:
    """Have SIGTERM and SIGINT set `stop`, and the process gone within 30 seconds whatever its handlers do."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _told, stop)


def _told(stop: asyncio.Event) -> None:
    if not stop.is_set():
        stop.set()
        # a handler that swallows its cancellation, or a thread that does not end, would hold the process up; its lease
        # is back by then, so there is nothing to lose
        watchdog = threading.Timer(LAST_MOMENT, os._exit, (0,))
        watchdog.daemon = True
        watchdog.start()
