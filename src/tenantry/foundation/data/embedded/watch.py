"""Keeping one server running: a thread starts it, waits for its end and starts it again, until told to stop.

The thread matters: the kernel tells the server of the death of the *thread* that started it, so one starts it
that lives as long as the supervisor.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future

import asyncpg

from tenantry.foundation.data.embedded.cluster import Cluster, as_seen_by
from tenantry.foundation.data.embedded.failure import EmbeddedPostgresFailed
from tenantry.foundation.data.embedded.leftovers import mark_of, stop_leftovers
from tenantry.foundation.data.embedded.process import Launch
from tenantry.foundation.data.embedded.sockets import SocketFolder

# recovery after a crash reads the log of all that was not yet in the data files
READY_WITHIN = 60.0
ANSWER_WITHIN = 5.0
LOOK_AGAIN = 0.01
IMMEDIATE = 3.0
REVIVALS = 20
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0

logger = logging.getLogger(__name__)


class Watch:
    """One server's life, from its first answer to its stop."""

    def __init__(self, cluster: Cluster, sockets: SocketFolder, options: Sequence[str], dsn: str) -> None:
        self._cluster = cluster
        self._sockets = sockets
        self._options = [*options, "-c", f"cluster_name={mark_of(cluster.data)}"]
        self._dsn = dsn
        self._process: subprocess.Popen[bytes] | None = None
        self._answering = threading.Event()
        self._stopping = threading.Event()
        self._spawning = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start the server and return once it has answered."""
        first: Future[None] = Future()
        self._thread = threading.Thread(target=self._keep, args=(first,), name="embedded-postgres", daemon=True)
        self._thread.start()
        first.result()

    def answering(self) -> bool:
        """Whether the server has answered since it was last started, and still runs."""
        process = self._process
        return self._answering.is_set() and process is not None and process.poll() is None

    def end(self, deadline: float) -> None:
        """Shut down cleanly; after the deadline, at once."""
        with self._spawning:
            self._stopping.set()
        self._answering.clear()
        if not self._gone_after(signal.SIGINT, deadline):
            self._gone_after(signal.SIGQUIT, IMMEDIATE)
        stop_leftovers(self._cluster.data)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(IMMEDIATE)

    def _gone_after(self, number: signal.Signals, patience: float) -> bool:
        if self._process is None:
            return True
        # not `wait`: the thread may be waiting already
        self._process.send_signal(number)
        deadline = time.monotonic() + patience
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN)
        return self._process.poll() is not None

    def _keep(self, first: Future[None]) -> None:
        try:
            self._revive()
        except BaseException as failure:  # noqa: BLE001  handed over to `begin`, which raises it
            first.set_exception(failure)
            return
        first.set_result(None)
        while self._process is not None:
            ended = self._process.wait()
            self._answering.clear()
            if self._stopping.is_set() or not self._revived_after(ended):
                return

    def _revived_after(self, ended: int) -> bool:
        logger.warning("PostgreSQL on %s ended (%d) and is started again", self._cluster.data, ended)
        for attempt in range(REVIVALS):
            try:
                self._revive()
            except Exception:
                if self._stopping.is_set():
                    return False
                # whatever it was: nobody else will start the server again
                logger.exception("PostgreSQL on %s did not come back", self._cluster.data)
            else:
                return True
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)
            if self._stopping.wait(pause * random.uniform(0.5, 1)):  # noqa: S311  no secret
                return False
        logger.critical("PostgreSQL on %s is given up after %d attempts", self._cluster.data, REVIVALS)
        return False

    def _revive(self) -> None:
        stop_leftovers(self._cluster.data)
        self._sockets.clear()
        with self._spawning:
            if self._stopping.is_set():
                raise EmbeddedPostgresFailed(f"PostgreSQL on {self._cluster.data} was stopped while it started.")
            self._process = self._spawned()
        asyncio.run(self._until_it_answers(self._process))
        self._answering.set()

    def _spawned(self) -> subprocess.Popen[bytes]:
        cluster = self._cluster
        with as_seen_by(cluster.account, cluster.data) as ((data,), inherits), cluster.open_log() as log:
            launch = Launch(cluster.account, signal.SIGINT, inherits)
            return launch.start([cluster.binaries.postgres, "-D", data, *self._options], log=log)

    async def _until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise EmbeddedPostgresFailed(
                    f"PostgreSQL on {self._cluster.data} ended before it answered.", log=self._cluster.log
                )
            if await self._answers():
                return
            await asyncio.sleep(LOOK_AGAIN)
        process.kill()
        raise EmbeddedPostgresFailed(
            f"PostgreSQL on {self._cluster.data} did not answer within {READY_WITHIN:.0f} s.",
            log=self._cluster.log,
        )

    async def _answers(self) -> bool:
        try:
            return await _answer(self._dsn)
        except asyncpg.InvalidAuthorizationSpecificationError as refused:
            raise EmbeddedPostgresFailed(
                f"PostgreSQL on {self._cluster.data} refuses the password beside it: {refused}."
            ) from refused
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            return False  # not yet: no socket, or still starting, recovering or full; or gone again


async def _answer(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn, timeout=ANSWER_WITHIN)
    try:
        return bool(await connection.fetchval("select true", timeout=ANSWER_WITHIN))
    finally:
        await connection.close(timeout=ANSWER_WITHIN)
