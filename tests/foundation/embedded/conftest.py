"""Folders with a server: shared where a test leaves them whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantry.foundation.data.embedded import EmbeddedPostgres
from tenantry.foundation.data.embedded.leftovers import running_on

from .processes import UNKNOWN_UID, started, user


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose server was made and stopped."""
    folder = tmp_path_factory.mktemp("made") / "tenantry"
    server = EmbeddedPostgres(folder, durable=False)
    server.start()
    server.stop()
    return folder


@pytest.fixture
def folder(made: Path) -> Iterator[Path]:
    """The same, for each test in turn: whatever a test does to it, the next one must be able to start it."""
    yield made
    assert not running_on(made / "postgres")


@pytest.fixture
def spoilt(made: Path, tmp_path: Path) -> Path:
    """A copy for a test that breaks it."""
    subprocess.run(["cp", "-a", made, tmp_path / "tenantry"], check=True)
    return tmp_path / "tenantry"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server that no test disturbs."""
    folder = tmp_path_factory.mktemp("running") / "tenantry"
    with started(folder) as dsn:
        yield dsn, folder


@pytest.fixture
def reachable_python() -> str:
    """An interpreter of this version that somebody other than root may run, with what we import."""
    candidates = (
        sys.executable,
        *(shutil.which(f"python3.{sys.version_info.minor}", path=p) for p in ("/usr/bin",)),
    )
    for python in filter(None, candidates):
        probe = [python, "-c", "import asyncpg, tenantry.foundation.data.embedded"]
        path = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        try:
            subprocess.run(probe, check=True, cwd="/", env=path, capture_output=True, **user(UNKNOWN_UID))  # type: ignore[call-overload]
        except (PermissionError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("no interpreter that an ordinary user can reach")
