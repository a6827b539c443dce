"""One measured window: load from the other cores, CPU read at its two ends."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.cores import Cores, pinned
from bench.processes import BenchFailed
from bench.wire import Request

Meter = Callable[[], tuple[float, float]]
ROOT = Path(__file__).resolve().parent.parent
# wrk asks for each request; the whole texts are made once, so this costs next to nothing
WRK_SCRIPT = """
local requests, at = %s, 0
request = function() at = at %% #requests + 1; return requests[at] end
"""


@dataclass(frozen=True)
class Load:
    """What is sent, by how many connections, for how long, and which answers are right."""

    port: int
    requests: list[Request]
    connections: int
    seconds: float
    right: frozenset[int] = frozenset({200})
    warmup: float = 0.5
    chained: bool = False

    def job(self) -> str:
        """The load as `bench.client` reads it."""
        return json.dumps(
            {
                "port": self.port,
                "requests": [request.raw(self.port) for request in self.requests],
                "connections": self.connections,
                "seconds": self.seconds,
                "warmup": self.warmup,
                "chained": self.chained,
            }
        )


@dataclass(frozen=True)
class Measured:
    """One window's figures; CPU in microseconds an answer."""

    answers: int
    seconds: float
    server_us: float
    postgres_us: float
    statuses: dict[str, int] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.answers / self.seconds

    @property
    def used(self) -> float:
        """How much of its core the server used, in per cent; far below 100, something else set the pace."""
        return self.server_us * self.rate / 1e4

    def document(self) -> dict[str, Any]:
        """As it stands in the results."""
        return {**asdict(self), "rate": round(self.rate, 2)}


class Generator:
    """A running load of our own client."""

    def __init__(self, load: Load, cores: Cores) -> None:
        self.load = load
        with pinned(cores.others):
            self.child = subprocess.Popen(
                [sys.executable, "-m", "bench.client"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
        assert self.child.stdin
        assert self.child.stdout
        self.child.stdin.write(load.job())
        self.child.stdin.close()
        self.output = self.child.stdout

    def began(self) -> None:
        """Return when the warm-up is over."""
        if self.output.readline() != "begin\n":
            raise BenchFailed("the load generator ended before it began")

    def result(self) -> dict[str, Any]:
        """The counts, after the last answer."""
        last = self.output.readline()
        if self.child.wait(10) or not last:
            raise BenchFailed("the load generator failed")
        found: dict[str, Any] = json.loads(last)
        return found


def measure(load: Load, meter: Meter, cores: Cores) -> Measured:
    """Run a load with our own client."""
    generator = Generator(load, cores)
    generator.began()
    before = meter()
    result = generator.result()
    measured = _measured(load, result, before, meter())
    wrong = {status: n for status, n in measured.statuses.items() if int(status) not in load.right}
    if wrong or result["dropped"]:
        raise BenchFailed(f"{load.requests[0].path}: {wrong} dropped {result['dropped']}; {result['samples']}")
    return measured


def _measured(load: Load, result: dict[str, Any], before: tuple[float, float], after: tuple[float, float]) -> Measured:
    every = sum(result["statuses"].values()) or 1
    right = sum(n for status, n in result["statuses"].items() if int(status) in load.right)
    return Measured(
        answers=right,
        seconds=result["seconds"],
        server_us=(after[0] - before[0]) / every * 1e6,
        postgres_us=(after[1] - before[1]) / every * 1e6,
        statuses=result["statuses"],
        latency_ms=result["latency_ms"],
    )


def generator_name() -> str:
    """What `measure_gets` uses on this machine."""
    return "wrk" if shutil.which("wrk") else "bench.client (wrk, of the Debian package of that name, is lighter)"


def measure_gets(load: Load, meter: Meter, cores: Cores) -> Measured:
    """Run a load of fixed requests with wrk, or with our own client where wrk is missing."""
    if not shutil.which("wrk"):
        return measure(load, meter, cores)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        texts = ",".join(json.dumps(request.raw(load.port)) for request in load.requests)
        script.write(WRK_SCRIPT % f"{{{texts}}}")
        script.flush()
        if load.warmup:
            _wrk(load, script.name, load.warmup, cores)
        before = meter()
        output = _wrk(load, script.name, load.seconds, cores)
        return _read_wrk(load, output, before, meter())


def _wrk(load: Load, script: str, seconds: float, cores: Cores) -> str:
    options = ["-t1", f"-c{load.connections}", f"-d{max(1, round(seconds))}s", "--latency", "-s", script]
    with pinned(cores.others):
        done = subprocess.run(
            ["wrk", *options, f"http://127.0.0.1:{load.port}/"],
            capture_output=True,
            text=True,
            timeout=seconds + 30,
            check=True,
        )
    return done.stdout


def _read_wrk(load: Load, output: str, before: tuple[float, float], after: tuple[float, float]) -> Measured:
    if "Non-2xx" in output or "Socket errors" in output:
        raise BenchFailed(f"{load.requests[0].path}:\n{output}")
    total = re.search(r"(\d+) requests in ([\d.]+)s", output)
    if total is None:
        raise BenchFailed(f"wrk said:\n{output}")
    result = {
        "seconds": float(total[2]),
        "statuses": {"200": int(total[1])},
        "latency_ms": {f"p{q}": _milliseconds(output, q) for q in (50, 90, 99)},
    }
    return _measured(load, result, before, after)


def _milliseconds(output: str, quantile: int) -> float:
    found = re.search(rf"{quantile}%\s+([\d.]+)(us|ms|s)", output)
    if found is None:
        raise BenchFailed(f"wrk gave no {quantile} %:\n{output}")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]
