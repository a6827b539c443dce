"""Servers and supervisors of the tests, and what can be asked of them."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from tenantry.foundation.data.embedded import EmbeddedPostgres, leftovers
from tenantry.foundation.data.embedded.leftovers import running_on

UNKNOWN_UID = 61234
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's word of a parent's death")

SUPERVISOR = """
import sys
from pathlib import Path
from tenantry.foundation.data.embedded import EmbeddedPostgres, EmbeddedPostgresFailed
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
try:
    print(server.start(), flush=True)
except EmbeddedPostgresFailed as refused:
    sys.exit(f"refused: {refused}")
sys.stdin.readline()
server.stop()
"""

# what a container's runtime does to a process: no new user namespace
FORBID_NAMESPACES = """
import ctypes, platform, struct
number = {"x86_64": 272, "aarch64": 97}[platform.machine()]
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0
"""


@contextmanager
def started(folder: Path, **how: object) -> Iterator[str]:
    server = EmbeddedPostgres(folder, **{"durable": False, **how})  # type: ignore[arg-type]
    try:
        yield server.start()
    finally:
        server.stop()


@contextmanager
def supervisor(
    folder: Path, *, python: str = sys.executable, before: str = "", **how: object
) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the server of the folder; killed at the end, if it still is there."""
    process = subprocess.Popen(
        [python, "-c", before + SUPERVISOR, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        **how,  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        left_to_us = process.poll() is None
        process.kill()
        process.communicate()
        if left_to_us and (folder / "sockets").exists():
            eventually(lambda: not running_on(folder / "postgres"))
            shutil.rmtree((folder / "sockets").read_text().strip())


def eventually(condition: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        time.sleep(0.01)


def server_pid(folder: Path) -> int:
    return int((folder / "postgres/postmaster.pid").read_text().split()[0])


def socket_folder(dsn: str) -> Path:
    return Path(parse_qs(urlsplit(dsn).query)["host"][0])


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def ask(dsn: str, question: str, **how: object) -> object:
    connection = await asyncpg.connect(dsn, **how)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def answer_within(dsn: str, seconds: float, question: str = "select 1") -> object:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await ask(dsn, question)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            assert time.monotonic() < deadline, "no answer within the deadline"


def user(uid: int) -> dict[str, object]:
    return {"user": uid, "group": uid, "extra_groups": []}


def said_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.readline().strip() or pytest.fail(process.stderr.read())


@contextmanager
def open_folder(owner: int = -1) -> Iterator[Path]:
    """A folder that other users can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        path = Path(name)
        path.chmod(0o755)
        os.chown(path, owner, owner)
        yield path


def hasten_leftovers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leftovers, "STEPS", ((signal.SIGINT, 0.2), (signal.SIGQUIT, 0.2), (signal.SIGKILL, 2.0)))
