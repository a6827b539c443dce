"""A worker of ours that stays, on the server's core, and the database that it works on, made anew for each part."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

from bench.cores import pinned
from bench.jobs.queues import beside
from bench.load import ROOT
from bench.processes import BenchFailed, inherited
from bench.product.house import equipped, prepare
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import LOGS
from bench.turns import telling
from tenantry.foundation.runtime import Runtime

Answer = TypeVar("Answer")
PATIENCE = 30.0


class Serving:
    """The worker's process, which says on being asked how far it is."""

    def __init__(self, stage: Stage, target: Tenantry) -> None:
        self.stage, self.target = stage, target
        self.log = LOGS / "tenantry-jobs.log"

    def __enter__(self) -> Serving:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with pinned(self.stage.cores.server), self.log.open("wb") as said:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "bench.product.worker", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=said, text=True, cwd=ROOT, env={**inherited(), **self.target.env, "PYTHONPATH": beside()},
            )  # fmt: skip
        if self._line() != "serving\n":
            raise BenchFailed(f"the worker did not start\n{self.log.read_text()[-2000:]}")
        return self

    def __exit__(self, *_: object) -> None:
        assert self.child.stdin
        self.child.stdin.close()
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(PATIENCE)

    def read(self) -> dict[str, Any]:
        """What it has done so far, and what it said to the database since it was last asked."""
        assert self.child.stdin
        self.child.stdin.write("read\n")
        self.child.stdin.flush()
        answer = self._line()
        if not answer:
            raise BenchFailed(f"the worker ended\n{self.log.read_text()[-2000:]}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def _line(self) -> str:
        assert self.child.stdout
        return self.child.stdout.readline()

    async def began(self, numbers: range, *, within: float = PATIENCE) -> dict[int, float]:
        """When the jobs of these numbers began, once all of them have."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            known = {int(number): at for number, at in self.read()["began"].items()}
            if all(number in known for number in numbers):
                return known
            await asyncio.sleep(0.02)
        raise BenchFailed(f"jobs did not begin within {within:g} s\n{self.log.read_text()[-2000:]}")


def anew(stage: Stage, target: Tenantry, name: str = Tenantry.name) -> None:
    """An empty database for the next part, so that nothing of the one before is in its way."""
    target.address = stage.postgres.fresh(name)
    target.migrate()
    asyncio.run(prepare(target.address.url))


def asking(stage: Stage, target: Tenantry, questions: Callable[[Runtime], Coroutine[Any, Any, Answer]]) -> Answer:
    """Ask for jobs from this process, which then has the other cores."""

    async def asked() -> Answer:
        runtime, _ = equipped(target.env)
        try:
            return await questions(runtime)
        finally:
            await runtime.stop()

    with pinned(stage.cores.others), telling():
        return uvloop.run(asked())
