"""The sink's process, beside PostgreSQL on the cores that do not send."""

from __future__ import annotations

import json
import subprocess
import sys

from bench.cores import Cores, pinned
from bench.load import ROOT
from bench.processes import inherited

PATIENCE = 10.0


class Receiving:
    """A sink that runs for as long as this is open."""

    def __init__(self, cores: Cores) -> None:
        self.cores = cores
        self.port = 0

    @property
    def place(self) -> str:
        """Where it listens, as `ip:port`."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Receiving:
        with pinned(self.cores.others):
            self.child = subprocess.Popen(
                [sys.executable, "-m", "bench.webhooks.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                cwd=ROOT, env=inherited(),
            )  # fmt: skip
        assert self.child.stdout
        self.port = int(self.child.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        assert self.child.stdin
        self.child.stdin.close()
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait(PATIENCE)

    def heard(self) -> dict[str, float]:
        """When each message came first, of those since it was last asked."""
        assert self.child.stdin
        assert self.child.stdout
        self.child.stdin.write("heard\n")
        self.child.stdin.flush()
        found: dict[str, float] = json.loads(self.child.stdout.readline())
        return found
