"""What the README and the tutorial tell a newcomer to type, typed."""

from __future__ import annotations

import re
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITTEN = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
READY_WITHIN = 60.0


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a `tenantry dev` of its own answers."""
    port = _free_port()
    command = [sys.executable, "-m", "tenantry", "dev", "--port", str(port), "--data"]
    folder = tmp_path_factory.mktemp("documented")
    log = (folder / "log").open("wb")
    dev = subprocess.Popen([*command, folder / "data"], cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert _first_line(dev, "ready") == f"ready http://127.0.0.1:{port}", (folder / "log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        dev.terminate()
        assert dev.wait(40) == 0
        log.close()


def _first_line(process: subprocess.Popen[str], start: str) -> str:
    assert process.stdout is not None
    deadline = time.monotonic() + READY_WITHIN
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        while waiting.select(max(0, deadline - time.monotonic())):
            line = process.stdout.readline()
            if line.startswith(start) or not line:
                return line.strip()
    return "nothing in time"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("README.md", ('"access_token"', '"email"')),
        ("docs/tutorial/first-minute.md", ('"access_token"', '"email"')),
        ("docs/tutorial/first-subscription.md", ('"trialing"', '"amount_due"')),
        ("docs/howto/local-stripe.md", ("<h2>Subscriptions</h2>", '"lookup_key": "', '"email": "ada@example.com"')),
    ],
)
def test_the_commands_that_are_shown_work_as_they_stand(page: str, shown: tuple[str, ...], origin: str) -> None:
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert len(blocks) >= 4
    script = "set -euo pipefail\n" + "".join(blocks).replace(WRITTEN, origin)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(text in done.stdout for text in shown), done.stdout
