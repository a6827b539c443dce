"""Servers that outlived their supervisor, and children that outlived their server: stopped, never adopted."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tenantry.foundation.data.embedded.failure import EmbeddedPostgresFailed

LOOK_AGAIN = 0.01
# fast shutdown (to the server alone), then immediate, then none, with the seconds each is given: a server
# whose supervisor died may be busy with its last checkpoint, a child whose server died has nothing left to do
STEPS = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 1.5), (signal.SIGKILL, 1.5))
ORPHAN_PATIENCE = 0.5


def mark_of(data: Path) -> str:
    """The name that the processes of this data folder carry in the process list."""
    place = data.stat()
    return f"tenantry-{hashlib.sha256(f'{place.st_dev}:{place.st_ino}'.encode()).hexdigest()[:12]}"


def running_on(data: Path) -> set[int]:
    """The processes of PostgreSQL at work on this data folder."""
    mark, owner = mark_of(data).encode(), data.stat().st_uid
    listed = _from_proc() if sys.platform == "linux" else from_ps()
    return {pid for pid, uid, words in listed if uid == owner and mark in words and _is_server(words)}


def stop_leftovers(data: Path) -> None:
    """Leave no process on this data folder, and no lock of a dead one."""
    for number, patience in STEPS:
        found = running_on(data)
        if not found:
            break
        servers = found & {_recorded_server(data)}
        _send(servers if number is signal.SIGINT else found, number)
        _wait_until_gone(data, patience if servers else min(patience, ORPHAN_PATIENCE))
    if left := running_on(data):
        raise EmbeddedPostgresFailed(f"A PostgreSQL on {data} does not end: kill the processes {sorted(left)}.")
    # a lock left by the dead would stop the next server if its pid has since been given to somebody else
    (data / "postmaster.pid").unlink(missing_ok=True)


def _send(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # ended between the look and the signal, which is what was wanted


def _wait_until_gone(data: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while running_on(data) and time.monotonic() < deadline:
        time.sleep(LOOK_AGAIN)


def _recorded_server(data: Path) -> int:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return 0


def _is_server(words: bytes) -> bool:
    program = words.split(b"\0", 1)[0].split(b" -D ", 1)[0]
    return program.startswith(b"postgres: ") or program.endswith(b"/postgres")


def _from_proc() -> Iterator[tuple[int, int, bytes]]:
    # the command line, because /proc/PID/cwd of another uid needs a capability that containers do not have
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                yield int(folder.name), folder.stat().st_uid, (folder / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # ended while we looked, or hidden from us and so not ours


def from_ps() -> Iterator[tuple[int, int, bytes]]:
    """Every process as pid, uid and command line, where the machine has no /proc."""
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,uid=,command="], check=True, capture_output=True, timeout=5)
    for line in listing.stdout.splitlines():
        pid, uid, words = line.split(None, 2)
        yield int(pid), int(uid), words
