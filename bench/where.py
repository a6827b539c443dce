"""Where the time of one `GET /v1/users/me` goes: the worker samples itself (`probes/sitecustomize.py`).

A stack belongs to the part whose rule its innermost frame meets; frames without a rule (drivers, the library)
belong to their caller. The rules name our files, so a new file in the request's way wants a line here.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import Load, Measured, Meter, measure_gets
from bench.processes import Program, free_port, start, wait_until
from bench.report import table
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import FOLDER, LOGS, Account
from bench.wire import Request, answers

PROBES = Path(__file__).resolve().parent / "probes"
SAMPLES = FOLDER / "where.collapsed"
OUTSIDE = "(other threads)"
BEGINNING = "(beginning)"
# below every stack of a worker, and no part of a request
LAUNCHERS = r"tenantry(/__main__|/entrypoints/cli/|/entrypoints/http/server\.py|:)"
RULES: list[tuple[str, str]] = [
    # the gate only hands the answer over: the time in it is the server's `send`
    ("server", r"(/granian/(asgi|_futures|_loops)|tenantry/entrypoints/http/gate\.py:_send$)"),
    ("typed ids", r"tenantry/foundation/data/ids"),
    ("encoding", r"tenantry/entrypoints/http/(reply|endpoint\.py:(_reply|_versioned)$)"),
    ("credential", r"tenantry/(foundation/security/|entrypoints/http/endpoint\.py:authenticate$)"),
    ("pool", r"tenantry/foundation/data/pool"),
    (
        "authority and transaction",
        r"tenantry/(foundation/(work|bundle|data/database)|entrypoints/http/endpoint\.py:_perform$)",
    ),
    ("query", r"tenantry/(foundation/data/|\w+/queries)"),
    ("verb", r"tenantry/(foundation/action|(?!entrypoints/)\w+/(actions|exchanges|http)[/.])"),
    ("log and metrics", r"tenantry/(entrypoints/http/(witness|metrics)|foundation/logs)"),
    ("gate, routing to the endpoint", r"tenantry/(entrypoints/http|foundation)"),
    ("rest of tenantry", r"tenantry/"),
    ("framework", r"/litestar/"),
]
PARTS = [
    "server",
    "framework",
    *(name for name, _ in RULES if name not in {"server", "framework"}),
    "event loop and driver, in C",
]


@dataclass
class Breakdown:
    """Microseconds of one request, part by part, beside what the server alone would take."""

    parts: dict[str, float]
    server_alone: float
    measured: Measured

    def table(self) -> str:
        """For the terminal."""
        whole = sum(self.parts.values()) or 1.0
        lines = [["where a request's time goes", "us", "%"]]
        lines += [[name, f"{us:.1f}", f"{us / whole * 100:.0f}"] for name, us in self.parts.items()]
        lines += [["all of the worker (sampled)", f"{whole:.1f}", "100"]]
        lines += [["the kernel's count, sampling on", f"{self.measured.server_us:.1f}", ""]]
        lines += [["the server alone, constant answer", f"{self.server_alone:.1f}", ""]]
        lines += [["PostgreSQL, beside it", f"{self.measured.postgres_us:.1f}", ""]]
        return table(lines)

    def document(self) -> dict[str, Any]:
        """As it stands in the results."""
        return {"us": self.parts, "server_alone_us": self.server_alone, "sampled": self.measured.document()}


def run(stage: Stage) -> Breakdown:
    """Sample one loaded worker."""
    SAMPLES.unlink(missing_ok=True)
    target = Tenantry(stage.postgres, stage.cores)
    target.extra = {"PYTHONPATH": str(PROBES), "BENCH_SAMPLES": str(SAMPLES)}
    try:
        target.start()
        measured = sampled(stage, target, target.renewed(target.accounts(4)))
    finally:
        target.stop()
    return Breakdown(parts(SAMPLES.read_text(), measured.answers), alone(stage), measured)


def sampled(stage: Stage, target: Tenantry, accounts: list[Account]) -> Measured:
    """Load the worker with the sampler on, from the warm-up's end on."""
    requests = [target.me(account) for account in accounts]
    load = Load(target.port, requests, stage.options.connections, stage.options.seconds)
    measure_gets(load, target.meter(), stage.cores)
    worker = target.program.busiest()
    os.kill(worker, signal.SIGUSR1)
    measured = measure_gets(quick(load), target.meter(), stage.cores)
    os.kill(worker, signal.SIGUSR2)
    wait_until(SAMPLES.exists, target.program, seconds=10, what="the worker writes its samples")
    return measured


def quick(load: Load) -> Load:
    """The same without a warm-up, whose requests would be sampled and not counted."""
    return Load(load.port, load.requests, load.connections, load.seconds, warmup=0)


def alone(stage: Stage) -> float:
    """The same server's CPU for an answer that costs nothing."""
    port = free_port()
    command: list[str | Path] = [
        Path(sys.executable).parent / "granian",
        "--interface",
        "asgi",
        "--loop",
        "uvloop",
        "--workers",
        "1",
    ]
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "bare:app"]
    program = start([*command, *options], log=LOGS / "bare.log", cores=stage.cores.server, env={}, cwd=PROBES)
    try:
        wait_until(lambda: answers(port, "/"), program, seconds=30, what="granian starts")
        load = Load(port, [Request("GET", "/")], stage.options.connections, stage.options.seconds)
        return measure_gets(load, metered(stage, program), stage.cores).server_us
    finally:
        program.stop()


def metered(stage: Stage, program: Program) -> Meter:
    """CPU of the probe; PostgreSQL has no part in it."""
    return lambda: (program.cpu_seconds(), stage.postgres.cpu_seconds())


def parts(samples: str, requests: int) -> dict[str, float]:
    """Microseconds a request for each part."""
    found: Counter[str] = Counter()
    for line in samples.splitlines():
        stack, _, weight = line.rpartition(" ")
        found[part(stack)] += int(weight)
    return {name: found[name] / 1000 / max(requests, 1) for name in PARTS if found[name]}


def part(stack: str) -> str:
    """The part of the innermost frame that has a rule; a stack of the loop alone is the loop's."""
    if stack == OUTSIDE:
        return "server"
    frames = [frame for frame in stack.split(";") if not re.search(LAUNCHERS, frame)]
    if frames[-1] == BEGINNING:
        # what ran before a function's first line was its caller, or no Python at all
        frames = frames[:-2]
    for frame in reversed(frames):
        for name, rule in RULES:
            if re.search(rule, frame):
                return name
    return PARTS[-1]
