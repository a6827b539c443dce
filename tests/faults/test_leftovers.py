"""What a killed server leaves in the temporary folder: the next start removes it, and nothing of a living one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tenantry.entrypoints import ops
from tenantry.entrypoints.ops import FOLDER, metrics_folder

from .app import Program, asked, environment, eventually, free_port, speaking, status_of

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of one's own, and no word of it afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv(FOLDER, "")
    return tmp_path


def _left(folder: Path) -> set[Path]:
    return set(folder.glob("tenantry-metrics-*"))


def _abandoned(temporary: Path) -> Path:
    folder = temporary / "tenantry-metrics-abandoned"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"x")
    return folder


def test_a_start_removes_what_the_dead_left_and_nothing_of_the_living(temporary: Path) -> None:
    abandoned, others = _abandoned(temporary), temporary / "tenantry-else"
    others.mkdir()
    with metrics_folder():
        first = Path(os.environ[FOLDER])
        assert not abandoned.exists()
        with metrics_folder():
            assert _left(temporary) == {first, Path(os.environ[FOLDER])}
        assert _left(temporary) == {first}
    assert (_left(temporary), others.exists()) == (set(), True)


def test_what_is_no_folder_of_ours_is_let_be(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    treasure, abandoned = temporary / "treasure", _abandoned(temporary)
    treasure.mkdir()
    (temporary / "tenantry-metrics-link").symlink_to(treasure)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    ops._sweep()
    assert (treasure.exists(), abandoned.exists()) == (True, True)
    monkeypatch.undo()


def test_a_folder_that_a_sweep_took_before_it_was_locked_is_replaced(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, met = ops._locked, []

    def _late(folder: Path) -> int | None:
        lock = locked(folder)
        if not met and folder.name != "tenantry-metrics-abandoned":
            # opened before the sweep, locked after it
            met.append(folder)
            (folder / "counter_1.db").touch()
            _remove(folder)
        return lock

    monkeypatch.setattr(ops, "_locked", _late)
    with metrics_folder():
        assert Path(os.environ[FOLDER]).exists()
        assert Path(os.environ[FOLDER]) not in met
    assert met


def _remove(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


@asynccontextmanager
async def _served(folder: Path, name: str) -> AsyncIterator[Program]:
    """A server whose database is away; its temporary folder is this one."""
    port = free_port()
    settings = environment(NOWHERE, folder, port, TMPDIR=str(folder))
    server = Program(("serve", "--port", str(port)), settings, folder / name)
    server.start()
    try:
        async with speaking(f"http://127.0.0.1:{port}") as client:

            async def alive() -> bool:
                assert server.running, server.lines()
                return status_of(await asked(client.get("/livez"))) == 200

            await eventually(alive, within=20)
            yield server
    finally:
        await server.kill()


async def test_the_folder_of_a_killed_server_goes_with_the_next_start(tmp_path: Path) -> None:
    async with _served(tmp_path, "first") as first:
        (living,) = _left(tmp_path)
        async with _served(tmp_path, "second"):
            assert living in _left(tmp_path)
            both = _left(tmp_path)
            assert len(both) == 2
        # killed: only its folder is still there
        assert _left(tmp_path) == both
        async with _served(tmp_path, "third"):
            (left,) = both - {living}
            assert not left.exists()
            assert living.exists()
            first.tell()
            assert await first.ended(within=30) == 0
            assert not living.exists()
