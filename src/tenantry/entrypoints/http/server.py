"""The server: granian's workers around our application, the metrics listener beside them, and an end in time."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from tenantry.entrypoints.http.metrics import FOLDER, collected

DRAIN = 25
TARGET = "tenantry.assemble:web"


def serve(*, host: str, port: int, workers: int, ops_listen: str) -> None:
    """Serve until told to stop; requests in flight are finished, for at most 25 seconds."""
    with metrics_folder(), ops_listener(ops_listen):
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


@contextmanager
def metrics_folder() -> Iterator[None]:
    """Where the processes of this server keep their counters together."""
    folder = Path(tempfile.mkdtemp(prefix="tenantry-metrics-"))
    os.environ[FOLDER] = str(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ops_listener(address: str, page: Callable[[], bytes] = collected) -> Iterator[None]:
    """The metrics on a listener of their own; an empty address means none."""
    if not address:
        yield
        return
    host, _, port = address.rpartition(":")
    server = ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(page))
    threading.Thread(target=server.serve_forever, daemon=True, name="ops").start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _handler(page: Callable[[], bytes]) -> type[BaseHTTPRequestHandler]:
    class Ops(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            known = self.path == "/metrics"
            body = page() if known else b"not found\n"
            self.send_response(200 if known else 404)
            self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing: a scrape every few seconds is no news."""

    return Ops
