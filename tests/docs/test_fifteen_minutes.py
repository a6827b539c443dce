"""The tutorial from nothing to a product, typed from its first command to its last, on processes of its own."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from selectors import DefaultSelector
from time import monotonic

import pytest
from howto_kit import DOCS, commands_of, files_of

from commands import a_shell

PAGE = "tutorial/fifteen-minutes.md"
START = re.compile(r"^<!-- start -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
READY_WITHIN = 90.0
LOGGED = {
    "orgs:org:created", "orgs:invite:sent", "orgs:member:joined", "webhooks:endpoint:created", "api_keys:key:created",
    "library:request:add_book", "denied",
}  # fmt: skip


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """A shell's environment with a Python of its own, into which a plugin can be installed."""
    return a_shell(tmp_path)


@pytest.fixture
def stays(shell: dict[str, str], tmp_path: Path) -> Iterator[Callable[[str, str], subprocess.Popen[str]]]:
    """Starts what runs in a terminal of its own, until the test is over."""
    started: list[subprocess.Popen[str]] = []

    def start(typed: str, log: str) -> subprocess.Popen[str]:
        with (tmp_path / log).open("w") as errors:
            process = subprocess.Popen(
                ["bash", "-c", f"exec env {typed}"],
                cwd=tmp_path, env=shell, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in reversed(started):
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def _line(process: subprocess.Popen[str], begins: str) -> str:
    """The next line that begins like this."""
    assert process.stdout is not None
    deadline = monotonic() + READY_WITHIN
    with DefaultSelector() as waiting:
        waiting.register(process.stdout, 1)
        while waiting.select(max(0, deadline - monotonic())):
            line = process.stdout.readline()
            if line.startswith(begins) or not line:
                return line.strip()
    return "nothing in time"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _types(typed: str, shell: dict[str, str], folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", typed],
        cwd=folder, env=shell, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.timeout(400)
def test_fifteen_minutes_lead_from_nothing_to_a_product(
    shell: dict[str, str], stays: Callable[[str, str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    api, receiver = _free_port(), _free_port()
    [make] = commands_of(PAGE, "make")
    assert "6 passed" in _types(make, shell, tmp_path)
    heard = files_of(PAGE)["hear.py"].replace("9000", str(receiver))
    (tmp_path / "hear.py").write_text(heard, encoding="utf-8")
    hearing = stays("python hear.py", "hear.log")
    [start] = START.findall((DOCS / PAGE).read_text(encoding="utf-8"))
    dev = stays(f"{start.replace('9000', str(receiver)).strip()} --port {api} --data {tmp_path / 'data'}", "dev.log")
    ready = _line(dev, "ready")
    assert ready == f"ready http://127.0.0.1:{api}", (tmp_path / "dev.log").read_text()[-3000:]
    asked = commands_of(PAGE, "ask")
    # what was denied is written behind the answer
    typed = "".join([*asked, f"until ({asked[-1].strip()}) | grep denied; do sleep 0.1; done\n"])
    typed = typed.replace("127.0.0.1:8000", f"127.0.0.1:{api}")
    told = _types(typed.replace("127.0.0.1:9000", f"127.0.0.1:{receiver}"), shell, tmp_path)
    assert told.count('"title":"Notes on the Engine"') == 3
    assert told.count('"title":"Sketch of a Loom"') == 2
    assert '"status":403' in told
    assert "Not by a report" not in told
    assert _line(hearing, "book.added").startswith("book.added {'org_id': 'org_")
    assert set(told.rpartition("}")[2].split()) >= LOGGED
