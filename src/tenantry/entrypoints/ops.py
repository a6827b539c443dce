"""The operators' side of a process: its metrics, kept with those of its siblings, on a listener of their own."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tenantry.foundation.logs import get_logger

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = "tenantry-metrics-"
TRIES = 10
log = get_logger("tenantry.ops")


def collected() -> bytes:
    """The metrics of every process of this server."""
    # late: the metrics library decides at its import where it counts, so the folder must be named before
    from prometheus_client import REGISTRY, CollectorRegistry, generate_latest  # noqa: PLC0415
    from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

    if FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


@contextmanager
def metrics_folder() -> Iterator[None]:
    """Where the processes of this server keep their counters together; removes those of servers that were killed."""
    _sweep()
    folder, lock = _own_folder()
    os.environ[FOLDER] = str(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _own_folder() -> tuple[Path, int]:
    """A new folder, and the lock on it that ends with this server's last process, however that one ends."""
    for _ in range(TRIES):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = _locked(folder)
        # a sweep may have come between the making and the locking, and taken it for a dead one's
        if lock is not None and folder.exists():
            return folder, lock
        if lock is not None:
            os.close(lock)
    raise OSError(f"no folder in {tempfile.gettempdir()} can be locked")


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = _locked(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """The lock on a folder of ours, or None: a living server has it, or it is gone, or somebody else's."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(lock).st_uid != os.geteuid():
            raise PermissionError
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


@contextmanager
def ops_listener(address: str, page: Callable[[], bytes] = collected) -> Iterator[None]:
    """The metrics on a listener of their own; an empty address means none."""
    if not address:
        yield
        return
    server = _listening(address, page)
    if server is None:
        yield
        return
    threading.Thread(target=server.serve_forever, daemon=True, name="ops").start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _listening(address: str, page: Callable[[], bytes]) -> ThreadingHTTPServer | None:
    host, _, port = address.rpartition(":")
    try:
        return ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(page))
    except OSError as error:
        # web and worker on one machine share the default: the first one has it, and neither is held up
        log.warning("no metrics listener", address=address, reason=error.strerror)
        return None


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
