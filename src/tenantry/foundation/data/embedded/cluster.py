"""The data folder: made once, whole or not at all, with its two logins and the passwords that open it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tenantry.foundation.data.embedded.account import Account
from tenantry.foundation.data.embedded.binaries import Binaries
from tenantry.foundation.data.embedded.failure import INSTEAD, EmbeddedPostgresFailed
from tenantry.foundation.data.embedded.process import Launch

DATABASE = "tenantry"
OWNER = "tenantry"
SUPERUSER = "tenantry_superuser"
DEADLINE = 120.0
NO_NAME = 71  # how `launch.py` ends where it may not borrow a uid
LARGE_LOG = 5_000_000
UNFINISHED = "postgres.unfinished-"
SET_UP = """\
create extension pg_stat_statements
create role {owner} login createrole createdb password '{password}'
create database {database} owner {owner}
"""


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL on disk: where its data, log and passwords lie, and whom they belong to."""

    folder: Path
    binaries: Binaries
    account: Account
    durable: bool

    @property
    def data(self) -> Path:
        """The data folder itself."""
        return data_in(self.folder)

    @property
    def log(self) -> Path:
        """What the server has to say."""
        return self.folder / "postgres.log"

    def password_file(self, role: str) -> Path:
        """Where a login's password lies."""
        return self.folder / f"{role}.password"

    def password(self, role: str) -> str:
        """A login's password."""
        try:
            return self.password_file(role).read_text(encoding="ascii").strip()
        except FileNotFoundError as lost:
            raise EmbeddedPostgresFailed(
                f"{lost.filename} is gone, and with it the key to {self.data}: "
                "bring it back, or remove that folder to start anew."
            ) from lost

    def make_if_absent(self) -> None:
        """Have a data folder, with the owner's login and database in it."""
        self._remove_unfinished()
        if self.data.exists():
            return
        new = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder))
        self.account.give(new)
        self._fill(new)
        if self.durable:
            _sync(new)
        new.rename(self.data)
        if self.durable:
            _sync(self.folder)

    def open_log(self) -> IO[bytes]:
        """The log, for a program to write to; it may quote statements, so it is private."""
        return os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def shorten_log(self) -> None:
        """Put a large log aside; the one before it goes."""
        if self.log.exists() and self.log.stat().st_size > LARGE_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _remove_unfinished(self) -> None:
        # names are never used twice, so an initdb that is still dying writes into nothing that matters
        for left in self.folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)

    def _fill(self, new: Path) -> None:
        for role in (OWNER, SUPERUSER):
            _write_secret(self.password_file(role), secrets.token_urlsafe(24))
        self.account.give(self.password_file(SUPERUSER))
        with as_seen_by(self.account, new, self.password_file(SUPERUSER)) as (places, inherits):
            self._run(self._initdb(*places), inherits)
            self._run(self._single_user(places[0]), inherits, SET_UP)
        self.account.take_back(self.password_file(SUPERUSER))

    def _initdb(self, data: str, password_file: str) -> list[str]:
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = [
            "--username",
            SUPERUSER,
            "--pwfile",
            password_file,
            "--auth=scram-sha-256",
            "--data-checksums",
        ]
        haste = [] if self.durable else ["--no-sync"]
        return [
            self.binaries.initdb,
            "-D",
            data,
            *locale,
            *access,
            *haste,
            "--no-instructions",
            "-c",
            "timezone=UTC",
        ]

    def _single_user(self, data: str) -> list[str]:
        haste = [] if self.durable else ["-F"]
        # template1, so that every database made later has the extension too
        return [
            self.binaries.postgres,
            "--single",
            "-D",
            data,
            *haste,
            "-c",
            "exit_on_error=true",
            "template1",
        ]

    def _run(
        self,
        command: Sequence[str],
        inherits: tuple[int, ...],
        script: str = "",
    ) -> None:
        launch = Launch(self.account, signal.SIGKILL, inherits, self.account.borrowed_uid())
        statements = script.format(owner=OWNER, database=DATABASE, password=self.password(OWNER)).encode()
        with self.open_log() as log, launch.start(command, log=log, stdin=subprocess.PIPE) as program:
            try:
                program.communicate(statements, timeout=DEADLINE)
            except BaseException:
                program.kill()
                raise
        if program.returncode == NO_NAME:
            raise EmbeddedPostgresFailed(
                f"uid {self.account.uid} has no entry in /etc/passwd, which a new PostgreSQL needs: add one, {INSTEAD}."
            )
        if program.returncode != 0:
            name = Path(command[0]).name
            raise EmbeddedPostgresFailed(
                f"{name} could not make {self.data} (exit {program.returncode}).", log=self.log
            )


def data_in(folder: Path) -> Path:
    """Where the data lies in the embedded PostgreSQL's folder."""
    return folder / "postgres"


@contextmanager
def as_seen_by(account: Account, *paths: Path) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """The names under which the server finds these paths, and the descriptors it must inherit for that."""
    if not account.dropped:
        yield [str(path) for path in paths], ()
        return
    descriptors = tuple(os.open(path, os.O_RDONLY) for path in paths)
    try:
        yield [f"/proc/self/fd/{descriptor}" for descriptor in descriptors], descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def settings_for(*, durable: bool, chosen: Mapping[str, str]) -> dict[str, str]:
    """The server's settings: ours, overruled by the chosen ones."""
    ours = {
        "max_connections": "100",
        "shared_preload_libraries": "pg_stat_statements",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        "log_line_prefix": "%m [%p] %q%d ",
    }
    # commits still reach the kernel before they are acknowledged: only the machine could lose them
    in_haste = {"fsync": "off", "full_page_writes": "off"}
    return ours | ({} if durable else in_haste) | dict(chosen)


def _write_secret(path: Path, secret: str) -> None:
    # a fresh file each time: one that is already there may be open to others
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
