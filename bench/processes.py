"""Started programs and what the kernel says of them: CPU seconds, memory, children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.cores import pinned

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class BenchFailed(Exception):
    """The run cannot be trusted or cannot go on."""


@dataclass
class Program:
    """A started program with its whole process group; its output is in `log`."""

    child: subprocess.Popen[bytes]
    log: Path

    @property
    def pids(self) -> list[int]:
        """The program and everything below it."""
        return family(self.child.pid)

    def cpu_seconds(self) -> float:
        """User and system time of the whole family."""
        return sum(cpu_seconds(pid) for pid in self.pids)

    def biggest(self) -> int:
        """Resident bytes of the largest process of the family: the worker, where there is one."""
        return max(resident(pid) for pid in self.pids)

    def busiest(self) -> int:
        """The process that used most CPU: the one that answers requests."""
        return max(self.pids, key=cpu_seconds)

    def stop(self) -> None:
        """End the group: ask, wait, then insist."""
        self._signal(signal.SIGTERM)
        try:
            self.child.wait(15)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.child.wait(5)
        # what outlived its leader
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # the group may be gone already, which is what was asked
        with suppress(ProcessLookupError):
            os.killpg(self.child.pid, number)

    def tail(self) -> str:
        """The last words of its log, for a failure's message."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


def start(
    command: Sequence[str | Path],
    *,
    log: Path,
    cores: frozenset[int],
    env: Mapping[str, str],
    cwd: Path | None = None,
) -> Program:
    """Start a program on these cores, in a process group of its own, with its output in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with pinned(cores), log.open("wb") as out:
        child = subprocess.Popen(
            [str(word) for word in command],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**inherited(), **env},
            cwd=cwd,
            start_new_session=True,
        )
    return Program(child, log)


def inherited() -> dict[str, str]:
    """Our environment without settings of Tenantry, which would change what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TENANTRY_")}


def wait_until(true: Callable[[], bool], program: Program, *, seconds: float, what: str) -> None:
    """Wait for a condition of a running program, with a deadline."""
    deadline = time.monotonic() + seconds
    while not true():
        if program.child.poll() is not None:
            raise BenchFailed(f"{what}: it ended with {program.child.returncode}\n{program.tail()}")
        if time.monotonic() > deadline:
            raise BenchFailed(f"{what}: not within {seconds:g} s\n{program.tail()}")
        time.sleep(0.005)


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def family(pid: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for member in found:
        found.extend(children.get(member, []))
    return [member for member in found if stat(member)]


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent and so on; none once the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads, in ticks of the kernel's clock."""
    return sum(map(int, stat(pid)[11:13])) / TICK


def fine_cpu_seconds(pid: int) -> float:
    """The same of a process without threads, to the nanosecond: PostgreSQL spreads a window over many."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return cpu_seconds(pid)


def reaped_cpu_seconds(pid: int) -> float:
    """What the ended children of a process have used."""
    return sum(map(int, stat(pid)[13:15])) / TICK


def resident(pid: int) -> int:
    """Resident bytes of a process."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0
