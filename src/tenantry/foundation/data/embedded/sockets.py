"""The private folder of the server's socket: short enough for a socket, found again after a killed run."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tenantry.foundation.data.embedded.account import Account

BELOW = Path("/tmp")  # noqa: S108  only `mkdtemp` makes folders in it, closed to all but their owner
PREFIX = "tenantry-"


class SocketFolder:
    """A folder below `/tmp` for one run of one server, with a note of it beside the data."""

    def __init__(self, folder: Path, account: Account) -> None:
        self._note = folder / "sockets"
        self._account = account
        self.remove()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=BELOW))
        self._note.write_text(f"{self.path}\n", encoding="utf-8")
        account.give(self.path)

    def clear(self) -> None:
        """Forget the socket and the lock of a server that is gone."""
        for left in self.path.glob(".s.PGSQL.*"):
            left.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder that the note names: ours, or one that a killed run left."""
        if not self._note.exists():
            return
        noted = Path(self._note.read_text(encoding="utf-8").strip())
        if self._is_ours(noted):
            shutil.rmtree(noted)
        self._note.unlink()

    def _is_ours(self, noted: Path) -> bool:
        # anybody may write below it, so the name alone proves nothing
        named = noted.parent == BELOW and noted.name.startswith(PREFIX)
        return named and noted.is_dir() and not noted.is_symlink() and noted.stat().st_uid == self._account.uid
