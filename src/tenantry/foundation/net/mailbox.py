"""The development mailbox: a folder that every mail goes to and that `/dev/mail` shows.

Its files hold live links, so it is never used in production, and only its owner may read it. Not here: the
page.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import msgspec

CAPACITY = 1_000
"""Mails the development mailbox keeps."""


class Mail(msgspec.Struct, frozen=True):
    """A mail as `/dev/mail.json` shows it."""

    id: str
    to: str
    subject: str
    text: str
    html: str
    sent_at: datetime


class MailboxPost:
    """Delivers into a folder, one file a mail; the same Message-ID again replaces its file, in its place."""

    def __init__(self, folder: Path, *, capacity: int = CAPACITY) -> None:
        self._folder = folder
        self._capacity = capacity

    async def deliver(self, message: EmailMessage) -> None:
        """Put the mail into the folder, and take the oldest out of a full one."""
        await asyncio.to_thread(self._put, _mail(message))

    async def try_out(self) -> None:
        """A folder takes every mail that fits on its disk."""

    async def read(self, limit: int = 100) -> list[Mail]:
        """The last mails, newest first."""
        return await asyncio.to_thread(lambda: list(self._latest(limit)))

    def _put(self, mail: Mail) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        files = self._files()
        file = next((file for file in files if _id(file) == mail.id), None) or self._next(files, mail)
        # renamed into place, so that a reader sees a whole mail or none; `_files` does not list a draft
        draft = file.with_suffix(f".{os.getpid()}-{os.urandom(4).hex()}")
        draft.touch(0o600)
        draft.write_bytes(msgspec.json.encode(mail))
        draft.replace(file)
        for spare in set(self._listed()) - set(self._files()[-self._capacity :]):
            # another process may be tidying up too
            spare.unlink(missing_ok=True)

    def _latest(self, limit: int) -> Iterator[Mail]:
        for file in self._files()[::-1][:limit]:
            try:
                yield msgspec.json.decode(file.read_bytes(), type=Mail)
            except FileNotFoundError:
                # made room for a newer one since the folder was listed
                continue

    def _files(self) -> list[Path]:
        # two deliveries of one mail at the same moment may both have found no file of it: the first counts
        first: dict[str, Path] = {}
        for file in self._listed():
            first.setdefault(_id(file), file)
        return list(first.values())

    def _listed(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.mal_*.json"))

    def _next(self, files: list[Path], mail: Mail) -> Path:
        # counted instead of dated, because a frozen test clock would leave no order; two mails at the same
        # moment may take the same number, and then, told apart by id, are equally new
        last = int(files[-1].name.partition(".")[0]) if files else 0
        return self._folder / f"{last + 1:012}.{mail.id}.json"


def _mail(message: EmailMessage) -> Mail:
    digest = hashlib.sha256(str(message["Message-ID"]).encode()).digest()
    return Mail(
        id="mal_" + base64.b32hexencode(digest[:16]).decode().rstrip("=").lower(),
        to=message["To"].addresses[0].addr_spec,
        subject=str(message["Subject"]),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        sent_at=message["Date"].datetime,
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part else ""


def _id(file: Path) -> str:
    return file.name.split(".")[1]
