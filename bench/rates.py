"""`rates`: decisions a second in one process, against peers; then four processes at twice the limit, how far off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.cores import Cores, pinned
from bench.load import ROOT, Measured
from bench.peers.fastapi_users import install_python
from bench.processes import BenchFailed, inherited
from bench.report import Figure, Goal, Outcome, compared, documents, idle_core, ratio
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import FOLDER
from bench.turns import take_turns

HOME, HERE = FOLDER / "limiters", ROOT / "bench" / "peers" / "limiters"
OURS, PEERS = "tenantry", ("throttled-py", "limits")
LEAST, TIMES_PEER = 1_000_000, 4
PROCESSES, TIMES, PER, LOAD, OFF_BY = 4, 200, 2.0, 2.0, 0.05
PATIENCE = 60


def run(stage: Stage) -> Outcome:
    """Both."""
    outcome = Outcome("rates", "decisions in memory, one policy, a thousand subjects in turn; then four processes")
    install_python(HOME, HERE / "requirements.txt")
    seconds = stage.options.seconds / 2
    measures = {name: (lambda name=name: decided(name, seconds, stage.cores)) for name in (OURS, *PEERS)}
    rounds = take_turns(measures, stage.options.rounds)
    columns = {"decisions/s": lambda one: one.rate, "CPU us": lambda one: one.server_us}
    outcome.tables += [compared(rounds, OURS, columns), *idle_core(rounds)]
    reached = Figure.of([one.rate for one in rounds[OURS]]).middle
    outcome.goals.append(Goal(f"at least {LEAST:,} decisions/s", reached, reached >= LEAST))
    for peer in PEERS:
        found = ratio(rounds, OURS, peer).middle
        outcome.goals.append(Goal(f"at least {TIMES_PEER} x {peer}", found, found >= TIMES_PEER))
    target = Tenantry(stage.postgres, stage.cores)
    target.install()
    target.migrate()
    off = together(target, stage.options.seconds * 4)
    words = f"four processes at twice the limit are within {OFF_BY:.0%} of it, off by"
    outcome.goals.append(Goal(words, off, abs(off) <= OFF_BY))
    outcome.document = {**stage.facts([target]), "rounds": documents(rounds), "off_by": off}
    return outcome


def decided(name: str, seconds: float, cores: Cores) -> Measured:
    """One of them in a process of its own on the server's core."""
    program: Sequence[str | Path] = (sys.executable, "-m", "bench.deciding")
    if name != OURS:
        program = (HOME / "bin" / "python", HERE / "program.py", name)
    environ = {**inherited(), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    with pinned(cores.server):
        done = subprocess.run(
            [*program, str(seconds)],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    found = json.loads(done.stdout)
    decisions = int(found["decisions"])
    return Measured(
        answers=decisions,
        seconds=found["seconds"],
        server_us=found["cpu"] / decisions * 1e6,
        postgres_us=0.0,
        latency_ms={},
    )


def together(target: Tenantry, seconds: float) -> float:
    """By what share more, or less, passes than may: all turns at once, and what comes back meanwhile."""
    command = [sys.executable, "-m", "bench.product.counting", *map(str, (seconds, TIMES, PER, LOAD / PROCESSES))]
    environ = {**os.environ, **target.env, "PYTHONPATH": str(ROOT)}
    running = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    try:
        accepted = sum(_accepted(running, seconds))
    finally:
        for process in running:
            process.kill()
            process.wait()
    return accepted / (TIMES + TIMES / PER * seconds) - 1


def _accepted(running: list[subprocess.Popen[str]], seconds: float) -> list[int]:
    for process in running:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise BenchFailed("a process that counts did not start")
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return [int(process.communicate(timeout=seconds + PATIENCE)[0]) for process in running]
