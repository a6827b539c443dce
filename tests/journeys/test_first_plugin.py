"""The tutorial leads from nothing to notes: its files are the example's, and they work beside the built wheel."""

from __future__ import annotations

import ast
import os
import re
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tutorial/first-plugin.md").read_text(encoding="utf-8")
FILE = re.compile(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WRITTEN = "http://127.0.0.1:8000"
EXAMPLE = ROOT / "examples"
NOT_SHOWN = {"notes/README.md"}
LONGEST = 350
"""Lines of the product itself, without tests, revisions, empty lines and docstrings."""


def test_the_tutorial_shows_every_file_of_the_example_as_it_is() -> None:
    shown = dict(FILE.findall(PAGE))
    kept = {
        str(path.relative_to(EXAMPLE)): path.read_text(encoding="utf-8")
        for path in EXAMPLE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not any(part.startswith(".") for part in path.parts)
    }
    assert shown == {name: text for name, text in kept.items() if name not in NOT_SHOWN}


def test_the_product_is_small() -> None:
    product = [path for path in (EXAMPLE / "notes/src").rglob("*.py") if "migrations" not in path.parts]
    assert sum(map(_lines_of_code, product)) <= LONGEST


def _lines_of_code(path: Path) -> int:
    text = path.read_text(encoding="utf-8")
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    told = [node.body[0] for node in ast.walk(ast.parse(text)) if isinstance(node, kinds) and ast.get_docstring(node)]
    said = {line for first in told for line in range(first.lineno, (first.end_lineno or 0) + 1)}
    return sum(1 for number, line in enumerate(text.splitlines(), 1) if line.strip() and number not in said)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_the_tutorial_builds_works_beside_the_built_wheel(tmp_path: Path) -> None:
    for name, text in FILE.findall(PAGE):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    python = _installed(tmp_path)
    _run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "notes/tests"], tmp_path)
    assert '"state": "ok"' in _run([python, "-m", "tenantry", "plugins", "--json"], tmp_path, TENANTRY_PLUGINS="notes")
    _type_the_commands(python, tmp_path)


def _installed(folder: Path) -> Path:
    """A fresh environment with the locked requirements, the wheel of this checkout, and notes."""
    uv, here = Path(sys.executable).parent / "uv", folder / "env"
    _run([uv, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir",
          folder / "dist", ROOT], folder)  # fmt: skip
    _run([uv, "venv", "--quiet", "--python", sys.executable, here], folder)
    python = here / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--python", python]
    _run([*install, "--require-hashes", "-r", ROOT / "locks/dev.txt"], folder)
    [wheel] = (folder / "dist").glob("tenantry-*.whl")
    _run([*install, "--no-deps", "--no-build-isolation", wheel, folder / "notes"], folder)
    return python


def _run(words: list[str | Path], folder: Path, **more: str) -> str:
    # without this checkout's settings and path: what works is to work by itself
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("TENANTRY_", "PYTEST_"))}
    done = subprocess.run(
        words, cwd=folder, env=environ | more, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def _type_the_commands(python: Path, folder: Path) -> None:
    port = _free_port()
    command = [python, "-m", "tenantry", "dev", "--port", str(port), "--data", folder / "data"]
    with (folder / "log").open("wb") as log:
        dev = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=log, env=os.environ | {"TENANTRY_PLUGINS": "notes"}
        )
        try:
            assert _first_line(dev, b"ready"), (folder / "log").read_text()
            script = "set -euo pipefail\n" + "".join(RUN.findall(PAGE)).replace(WRITTEN, f"http://127.0.0.1:{port}")
            assert "Buy milk" in _run(["bash", "-c", script], folder)
        finally:
            dev.terminate()
            dev.wait(40)


def _first_line(process: subprocess.Popen[bytes], start: bytes) -> bool:
    assert process.stdout is not None
    deadline = time.monotonic() + 90
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        while waiting.select(max(0, deadline - time.monotonic())):
            line = process.stdout.readline()
            if line.startswith(start) or not line:
                return bool(line)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
