"""The server: granian's workers around our application, and an end in time."""

from __future__ import annotations

import os
import signal

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from tenantry.entrypoints.port import refuse_taken_port

DRAIN = 25
"""Seconds that requests in flight have to finish when the server stops."""
TARGET = "tenantry.assemble:web"


def serve(*, host: str, port: int, workers: int) -> None:
    """Serve until told to stop; requests in flight are finished, for at most 25 seconds."""
    refuse_taken_port(host, port)
    os.register_at_fork(after_in_child=_end_when_told)
    Granian(
        TARGET,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        factory=True,
        http=HTTPModes.http1,
        loop=Loops.uvloop,
        websockets=False,
        backlog=1024,
        log_access=False,
        log_enabled=False,
        respawn_failed_workers=True,
        respawn_interval=0.5,
        # without it one half-open connection keeps a worker from ever ending
        workers_kill_timeout=DRAIN,
        http1_settings=HTTP1Settings(header_read_timeout=10_000, keep_alive=True),
    ).serve()


def _end_when_told() -> None:
    # until granian listens for signals in a new web process, the handler that it inherited would swallow them and keep
    # it alive until it is killed; it has accepted nothing yet, so it ends at once (for SIGINT its parent tells it to)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
