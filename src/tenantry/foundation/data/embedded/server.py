"""The embedded PostgreSQL as its callers know it: a folder to start in, a DSN to connect with, a stop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tenantry.foundation.data.embedded.account import account_for
from tenantry.foundation.data.embedded.binaries import binaries_for
from tenantry.foundation.data.embedded.cluster import DATABASE, OWNER, Cluster, data_in, settings_for
from tenantry.foundation.data.embedded.failure import EmbeddedPostgresFailed
from tenantry.foundation.data.embedded.lock import FolderLock
from tenantry.foundation.data.embedded.sockets import SocketFolder
from tenantry.foundation.data.embedded.watch import Watch

DEFAULT_PORT = 5432
NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})


class EmbeddedPostgres:
    """A PostgreSQL of our own in a folder, kept running from `start` to `stop`.

    `durable=False` gives up what only a crash of the machine needs, for tests. `listen` is `host:port` of a
    TCP listener beside the socket. `settings` overrule ours.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        listen: str = "",
        settings: Mapping[str, str] = NO_SETTINGS,
    ) -> None:
        self._folder = folder.absolute()
        self._durable = durable
        self._address, self._port = _listener(listen)
        self._settings = settings_for(durable=durable, chosen=settings)
        self._lock: FolderLock | None = None
        self._sockets: SocketFolder | None = None
        self._watch: Watch | None = None

    def start(self) -> str:
        """Have the server answer, and get its owner's DSN; a data folder is made where there is none."""
        self._take_folder()
        try:
            return self._start_locked()
        except OSError as failure:
            self.stop()
            raise EmbeddedPostgresFailed(f"PostgreSQL cannot run in {self._folder}: {failure}.") from failure
        except BaseException:
            self.stop()
            raise

    def stop(self, *, deadline: float = 10) -> None:
        """Shut the server down; past the deadline at once, which leaves recovery to the next start."""
        if self._lock is not None and not self._lock.held:
            return  # a forked copy of the supervisor: the server is its parent's
        if self._watch is not None:
            self._watch.end(deadline)
            self._watch = None
        if self._sockets is not None:
            self._sockets.remove()
            self._sockets = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def alive(self) -> bool:
        """Whether the server runs and has answered."""
        return self._watch is not None and self._watch.answering()

    def _take_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FolderLock(self._folder)
        except OSError as failure:
            raise EmbeddedPostgresFailed(f"{self._folder} cannot be used: {failure}.") from failure

    def _start_locked(self) -> str:
        account = account_for(data_in(self._folder))
        cluster = Cluster(self._folder, binaries_for(account), account, self._durable)
        cluster.shorten_log()
        cluster.make_if_absent()
        self._sockets = SocketFolder(self._folder, account)
        # the port is named although it is the usual one: PGPORT would decide otherwise
        place = f"host={self._sockets.path}&port={self._port}"
        dsn = f"postgresql://{OWNER}:{cluster.password(OWNER)}@/{DATABASE}?{place}"
        self._watch = Watch(cluster, self._sockets, self._options(self._sockets.path), dsn)
        self._watch.begin()
        return dsn

    def _options(self, sockets: Path) -> list[str]:
        places = {
            "listen_addresses": self._address,
            "port": str(self._port),
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
        }
        return [word for name, value in {**self._settings, **places}.items() for word in ("-c", f"{name}={value}")]


def _listener(listen: str) -> tuple[str, int]:
    if not listen:
        return "", DEFAULT_PORT
    host, separator, port = listen.rpartition(":")
    if not separator or not port.isdecimal():
        raise EmbeddedPostgresFailed(f"`{listen}` is no place to listen on: write host:port, such as 127.0.0.1:5433.")
    return host.strip("[]"), int(port)
