"""The embedded PostgreSQL: stopped, killed, orphaned and left half made."""

# ruff: noqa: ASYNC220  processes and their files are what is tested; nothing runs beside

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import asyncpg
import pytest

from tenantry.foundation.data.embedded import EmbeddedPostgres, leftovers
from tenantry.foundation.data.embedded.leftovers import running_on

from .processes import (
    answer_within,
    ask,
    eventually,
    hasten_leftovers,
    on_linux,
    said_by,
    server_pid,
    socket_folder,
    started,
    supervisor,
    user,
)


def test_a_data_folder_that_was_never_finished_is_made_anew(tmp_path: Path) -> None:
    left = tmp_path / "postgres.unfinished-by-a-killed-run"
    left.mkdir()
    (left / "PG_VERSION").write_text("18\n")
    with started(tmp_path):
        assert not left.exists()


async def test_a_stop_ends_every_process_and_removes_the_socket(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    dsn = server.start()
    held = await asyncpg.connect(dsn)
    assert server.alive()
    server.stop()
    server.stop()
    assert (server.alive(), running_on(folder / "postgres"), socket_folder(dsn).exists()) == (
        False,
        set(),
        False,
    )
    held.terminate()


async def test_a_server_that_does_not_listen_is_stopped_past_the_deadline(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    server.start()
    busy = server_pid(folder)
    os.kill(busy, signal.SIGSTOP)
    stopping = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tenantry.foundation.data.embedded.watch.IMMEDIATE", 0.2)
        hasten_leftovers(patch)
        server.stop(deadline=0.2)
    assert time.monotonic() - stopping < 5
    assert not running_on(folder / "postgres")


@pytest.mark.faults
async def test_a_killed_server_answers_again_and_keeps_what_was_committed(folder: Path) -> None:
    # a commit is waited for as in production; only the disk, which no kill can betray, is not
    server = EmbeddedPostgres(folder, settings={"fsync": "off"})
    dsn = server.start()
    try:
        await ask(dsn, "create table survivor as select 42 as answer")
        for _ in range(3):
            killed = server_pid(folder)
            os.kill(killed, signal.SIGKILL)
            eventually(lambda: not server.alive())
            assert await answer_within(dsn, 10, "select answer from survivor") == 42
            eventually(server.alive)
            assert server_pid(folder) != killed
    finally:
        server.stop()


@pytest.mark.faults
async def test_a_killed_server_comes_back_although_a_child_of_it_still_works(folder: Path) -> None:
    with started(folder) as dsn:
        busy = await asyncpg.connect(dsn)
        child = await busy.fetchval("select pg_backend_pid()")
        os.kill(child, signal.SIGSTOP)
        os.kill(server_pid(folder), signal.SIGKILL)
        assert await answer_within(dsn, 10) == 1
        assert child not in running_on(folder / "postgres")
        busy.terminate()


@pytest.mark.faults
async def test_a_killed_child_is_recovered_from(folder: Path) -> None:
    with started(folder) as dsn:
        victim = await asyncpg.connect(dsn)
        os.kill(await victim.fetchval("select pg_backend_pid()"), signal.SIGKILL)
        victim.terminate()
        assert await answer_within(dsn, 10) == 1


@on_linux
@pytest.mark.faults
async def test_the_server_stops_with_its_killed_supervisor(folder: Path) -> None:
    with supervisor(folder) as process:
        dsn = said_by(process)
        process.kill()
        eventually(lambda: not running_on(folder / "postgres"), within=5)
    assert (folder / "postgres.log").read_text().endswith("database system is shut down\n")
    with started(folder):
        assert not socket_folder(dsn).exists(), "the killed run's socket is cleared away"


@pytest.mark.faults
@pytest.mark.parametrize("victims", ["supervisor", "both"])
async def test_after_a_kill_the_next_start_works_at_once(folder: Path, victims: str) -> None:
    with supervisor(folder) as process:
        said_by(process)
        pids = [process.pid, *([server_pid(folder)] if victims == "both" else [])]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        begun = time.monotonic()
        with started(folder) as dsn:
            assert await ask(dsn, "select 1") == 1
        assert time.monotonic() - begun < 10


@pytest.mark.faults
async def test_a_start_after_a_kill_stops_an_orphan_that_no_longer_listens(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten_leftovers(monkeypatch)
    with supervisor(folder) as process:
        said_by(process)
        orphan = server_pid(folder)
        os.kill(orphan, signal.SIGSTOP)
        process.kill()
        with started(folder) as dsn:
            assert await ask(dsn, "select 1") == 1
            assert orphan not in running_on(folder / "postgres")


@pytest.mark.faults
async def test_a_kill_while_the_data_folder_is_made_costs_nothing(tmp_path: Path) -> None:
    with supervisor(tmp_path) as process:
        eventually(lambda: any(tmp_path.glob("postgres.unfinished-*/global")))
        process.kill()
        with started(tmp_path) as dsn:
            assert await ask(dsn, "select 1") == 1


async def test_a_stale_lock_whose_pid_is_now_somebody_elses_stops_neither(folder: Path) -> None:
    owner = (folder / "postgres").stat()
    other = subprocess.Popen(["sleep", "60"], **({} if os.geteuid() else user(owner.st_uid)))  # type: ignore[call-overload]
    try:
        lock = folder / "postgres/postmaster.pid"
        lock.write_text(f"{other.pid}\n/proc/self/fd/9\n1\n5432\n/tmp\n\n\nready\n")
        os.chown(lock, owner.st_uid, owner.st_gid)
        with started(folder) as dsn:
            assert await ask(dsn, "select 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_processes_are_found_without_proc_too(running: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    data = running[1] / "postgres"
    found = running_on(data)
    monkeypatch.setattr(leftovers.sys, "platform", "darwin")
    assert server_pid(running[1]) in found & running_on(data)
