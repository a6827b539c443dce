"""The queues that are compared: each fills itself, then drains in one process on the server's core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cores import Cores, pinned
from bench.database import Postgres
from bench.load import ROOT, Measured
from bench.peers.fastapi_users import install_python
from bench.processes import BenchFailed, inherited
from bench.report import Rounds
from bench.subject import Tenantry
from bench.targets import FOLDER, LOGS
from bench.turns import percentiles, take_turns

PEERS = ROOT / "bench" / "peers"
FEW, MOST = 500, 100_000
PROGRAM_WITHIN = 180


@dataclass
class Queue:
    """One of them: the program that drains, and how many jobs it is given, which its first turn finds out."""

    name: str
    command: Sequence[str | Path]
    env: dict[str, str]
    jobs: int = FEW
    claims: list[float] = field(default_factory=list)

    def measure(self, postgres: Postgres, cores: Cores, seconds: float) -> Measured:
        """Fill and drain; the next time with as many jobs as take it about so long."""
        found = self._drained(postgres, cores)
        self.jobs = max(FEW, min(MOST, round(found.rate * seconds)))
        return found

    def _drained(self, postgres: Postgres, cores: Cores) -> Measured:
        command = [str(word) for word in (*self.command, self.jobs)]
        log = LOGS / f"{self.name.replace(' ', '-')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with pinned(cores.server), log.open("wb") as said:
            child = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=said, stdin=subprocess.DEVNULL, text=True, cwd=ROOT,
                env={**inherited(), **self.env, "PYTHONPATH": beside(), "PYTHONDONTWRITEBYTECODE": "1"},
            )  # fmt: skip
        # a program that hangs is ended, so that a read of what it says comes to its end
        alarm = threading.Timer(PROGRAM_WITHIN, child.kill)
        alarm.start()
        try:
            return self._read(child, postgres, log)
        finally:
            alarm.cancel()
            child.kill()
            child.wait()

    def _read(self, child: subprocess.Popen[str], postgres: Postgres, log: Path) -> Measured:
        assert child.stdout
        lines = iter(child.stdout.readline, "")
        if next(lines, "") != "filled\n":
            raise BenchFailed(f"{self.name} could not be filled\n{log.read_text()[-2000:]}")
        before = settled(postgres)
        found: dict[str, Any] = json.loads(next(lines, "{}"))
        theirs = settled(postgres) - before
        if found.get("jobs") != self.jobs:
            raise BenchFailed(f"{self.name} did {found.get('jobs')} of {self.jobs} jobs\n{log.read_text()[-2000:]}")
        self.claims = json.loads(next(lines, "{}")).get("claims", [])
        child.wait(PROGRAM_WITHIN)
        return Measured(
            answers=self.jobs,
            seconds=found["seconds"],
            server_us=found["cpu"] / self.jobs * 1e6,
            postgres_us=theirs / self.jobs * 1e6,
            latency_ms=percentiles(self.claims),
        )


def settled(postgres: Postgres) -> float:
    """PostgreSQL's CPU time while connections come and go: one that ends during a reading is missing in it."""
    return max(postgres.cpu_seconds() for _ in range(3))


def beside() -> str:
    """The path that lets a program find the bench beside what it runs on."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))


def ours(target: Tenantry) -> Queue:
    """Tenantry's worker with its defaults."""
    return Queue("tenantry", (sys.executable, "-m", "bench.product.worker", "drain"), target.env)


def peers(postgres: Postgres) -> list[Queue]:
    """PGQueuer as it comes and with a batch like ours; procrastinate with more at a time than it does by default."""
    pgqueuer, procrastinate = peer(postgres, "pgqueuer"), peer(postgres, "procrastinate")
    return [
        Queue("pgqueuer", (*pgqueuer[0], "10"), pgqueuer[1]),
        Queue("pgqueuer batch 100", (*pgqueuer[0], "100"), pgqueuer[1]),
        Queue("procrastinate", (*procrastinate[0], "20"), procrastinate[1]),
    ]


def peer(postgres: Postgres, name: str) -> tuple[tuple[str | Path, ...], dict[str, str]]:
    """A peer's program in its own environment, and where its database is."""
    install_python(FOLDER / name, PEERS / name / "requirements.txt")
    url = postgres.fresh(name).url
    return (FOLDER / name / "bin" / "python", PEERS / name / "program.py"), {"PEER_DATABASE_URL": url}


def drained(queues: Sequence[Queue], postgres: Postgres, cores: Cores, *, seconds: float, rounds: int) -> Rounds:
    """Each of them in turn, in as many rounds."""

    def measuring(queue: Queue) -> Any:
        return lambda: queue.measure(postgres, cores, seconds)

    return take_turns({queue.name: measuring(queue) for queue in queues}, rounds)


def versions() -> dict[str, dict[str, str]]:
    """Of the peers, as they are installed."""
    found = {}
    for name in ("pgqueuer", "procrastinate"):
        words = "import sys; from importlib.metadata import version as v; print(*(v(n) for n in sys.argv[1:]))"
        names = (name, {"pgqueuer": "asyncpg", "procrastinate": "psycopg"}[name])
        said = subprocess.run(
            [FOLDER / name / "bin" / "python", "-c", words, *names], capture_output=True, text=True, check=True
        )
        found[name] = dict(zip(names, said.stdout.split(), strict=True))
    return found
