"""`start`: how soon it is there and how much memory it holds while nobody asks."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.load import ROOT
from bench.processes import Program, free_port, start, wait_until
from bench.report import Figure, Goal, Outcome, table
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import FOLDER, LOGS, Target

IMPORT = "import time; t = time.perf_counter(); import tenantry; print(time.perf_counter() - t)"
REST = 1.0  # seconds a server is left alone before its memory is read
READY = re.compile(r"^ready http", re.MULTILINE)


def run(stage: Stage) -> Outcome:
    """Seconds to an answer and megabytes at rest, beside the peers; then what Tenantry alone promises."""
    outcome = Outcome("start", "import, first answer, memory of an idle worker")
    targets = stage.targets()
    lines, found = [["", "answers after s", "idle worker MB"]], {}
    for target in targets:
        starts = [started(target) for _ in range(stage.options.rounds + 1)][1:]  # the first makes tables and bytecode
        seconds, size = (Figure.of([one[at] for one in starts]) for at in (0, 1))
        found[target.name] = {"answers_s": seconds.document(), "idle_mb": size.document()}
        lines.append([target.name, seconds.text(), size.text()])
        if isinstance(target, Tenantry):
            outcome.goals.append(
                Goal("answers on an existing database below 1.5 s", seconds.middle, seconds.middle < 1.5)
            )
            outcome.goals.append(Goal("idle worker below 120 MB", size.middle, size.middle < 120))
    outcome.tables.append(table(lines))
    outcome.document = {**stage.facts(targets), "found": found}
    if stage.has_tenantry:
        alone(stage, outcome)
    return outcome


def alone(stage: Stage, outcome: Outcome) -> None:
    """What only Tenantry promises."""
    imported = Figure.of([import_seconds() for _ in range(stage.options.rounds + 1)][1:])
    nothing = Figure.of([from_nothing(stage) for _ in range(stage.options.rounds)])
    outcome.tables.append(table([["import tenantry s", imported.text()], ["bin/dev from nothing s", nothing.text()]]))
    outcome.document |= {"import_s": imported.document(), "from_nothing_s": nothing.document()}
    outcome.goals.append(Goal("import tenantry below 0.15 s", imported.middle, imported.middle < 0.15))
    outcome.goals.append(Goal("ready from nothing below 6 s", nothing.middle, nothing.middle < 6))


def started(target: Target) -> tuple[float, float]:
    """Seconds from start to first answer, then the megabytes of its largest process at rest."""
    if isinstance(target, Tenantry):
        target.migrate()
    launch: Callable[[], Program] = target.serve if isinstance(target, Tenantry) else target.launch
    target.port = free_port()
    begin = time.perf_counter()
    target.running = launch()
    try:
        wait_until(target.ready, target.running, seconds=60, what=f"{target.name} starts")
        seconds = time.perf_counter() - begin
        time.sleep(REST)
        return seconds, target.running.biggest() / 1e6
    finally:
        target.stop()


def import_seconds() -> float:
    """One import in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, timeout=60, check=True)
    return float(done.stdout)


def from_nothing(stage: Stage) -> float:
    """Seconds until `bin/dev` is ready with an empty data folder; the Python environment is there already."""
    log = LOGS / "dev.log"
    with tempfile.TemporaryDirectory(prefix="nothing-", dir=FOLDER, ignore_cleanup_errors=True) as folder:
        options = [
            "--port",
            str(free_port()),
            "--data",
            str(Path(folder) / "data"),
            "--no-seed",
            "--workers",
            "1",
        ]
        begin = time.perf_counter()
        cores = stage.cores.server | stage.cores.others
        program = start([ROOT / "bin" / "dev", *options], log=log, cores=cores, env={}, cwd=ROOT)
        try:
            said = lambda: bool(READY.search(log.read_text(errors="replace")))  # noqa: E731
            wait_until(said, program, seconds=120, what="bin/dev starts")
            return time.perf_counter() - begin
        finally:
            program.stop()
