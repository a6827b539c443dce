"""`bin/dev --scale N`, and what the tutorial has one type then."""

from __future__ import annotations

import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial/first-minute.md"
WRITTEN = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^<!-- run with a large demo -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
READY_WITHIN = 60.0


@contextmanager
def developing(folder: Path, port: int, *words: str) -> Iterator[list[str]]:
    """A `tenantry dev` of its own, and what it said until it was ready."""
    command = [sys.executable, "-m", "tenantry", "dev", "--port", str(port), "--data", folder / "data", *words]
    with (folder / "log").open("wb") as log:
        dev = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            yield list(_until_ready(dev))
        finally:
            dev.terminate()
            assert dev.wait(40) == 0


def _until_ready(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    deadline = time.monotonic() + READY_WITHIN
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        while waiting.select(max(0, deadline - time.monotonic())) and (line := process.stdout.readline()):
            yield line.strip()
            if line.startswith("ready"):
                return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_large_demo_of_the_tutorial_is_there_at_the_start_and_at_the_next(tmp_path: Path) -> None:
    (block,) = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    port = _free_port()
    with developing(tmp_path, port, "--scale", "20") as said:
        assert said[-1] == f"ready http://127.0.0.1:{port}"
        assert "20 of 20 organizations" in said
        script = "set -euo pipefail\n" + block.replace(WRITTEN, f"http://127.0.0.1:{port}")
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ruth.okafor@raven-paper-1-2.example" in done.stdout
    with developing(tmp_path, port, "--scale", "21") as said:
        assert any(re.fullmatch(r"added \d+ people, 1 organizations, \d+ memberships", line) for line in said), said


def test_no_demo_and_a_large_one_are_not_to_be_had_together(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tenantry", "dev", "--no-seed", "--scale", "3", "--data", tmp_path / "data"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert not (tmp_path / "data").exists()
