"""Whom the server runs as: ourselves, or for root the owner of the data folder, else `nobody`."""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from tenantry.foundation.data.embedded.failure import INSTEAD, EmbeddedPostgresFailed

NOBODY = "nobody"


@dataclass(frozen=True)
class Account:
    """A uid and gid for the server; `dropped` when the supervisor is root and the server must not be."""

    uid: int
    gid: int
    dropped: bool

    def give(self, path: Path) -> None:
        """Hand a file or folder of the supervisor to the server."""
        if self.dropped:
            os.chown(path, self.uid, self.gid)

    def take_back(self, path: Path) -> None:
        """Keep a file from the server again."""
        if self.dropped:
            os.chown(path, 0, 0)

    def borrowed_uid(self) -> int | None:
        """A uid the machine has a name for, when it has none for this account: making data takes a name."""
        try:
            pwd.getpwuid(self.uid)
        except KeyError:
            return next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid), None)
        return None


def account_for(data: Path) -> Account:
    """The account that may run the server on this data folder, which need not exist yet."""
    owner = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        return _ourselves(data, owner)
    if sys.platform != "linux":
        raise EmbeddedPostgresFailed(f"PostgreSQL refuses to run as root: start as an ordinary user, {INSTEAD}.")
    if owner is None:
        return _nobody()
    if owner.st_uid == 0:
        raise EmbeddedPostgresFailed(
            f"{data} belongs to root, whom PostgreSQL refuses: run `chown -R {NOBODY} '{data}'`."
        )
    return Account(owner.st_uid, owner.st_gid, dropped=True)


def _ourselves(data: Path, owner: os.stat_result | None) -> Account:
    if owner is not None and owner.st_uid != os.geteuid():
        raise EmbeddedPostgresFailed(
            f"{data} belongs to uid {owner.st_uid} and this is uid {os.geteuid()}: "
            "start as its owner or as root, or use another folder."
        )
    return Account(os.geteuid(), os.getegid(), dropped=False)


def _nobody() -> Account:
    try:
        entry = pwd.getpwnam(NOBODY)
    except KeyError as missing:
        raise EmbeddedPostgresFailed(
            f"PostgreSQL refuses to run as root, and there is no user `{NOBODY}`: add one, {INSTEAD}."
        ) from missing
    return Account(entry.pw_uid, entry.pw_gid, dropped=True)
