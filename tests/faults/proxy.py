"""A TCP proxy that understands PostgreSQL's framing: it counts what an app sends, and can fail at any of it.

It needs no hook in the product: the app's database URL points here. A test opens a *window*; from then on the
frontend's messages are numbered 1..N over all watched connections. One *strike* may be planned in a window: a
victim dies before message k reaches the server, or after the server answered it, the answer never read.

What is counted is by default a **group**: everything a driver sends before it waits for an answer (a Query,
or all up to a Sync or Flush; asyncpg writes each in one piece). Within a group there is nothing more to find:
the server commits only at its end and answers nothing before it, so to die amid it is to die before it.
Unit `message` counts each one, for a program that relies on more, at three times the runs.

Here belong framing, relaying and the toxics of the wire. Which points are visited, and who dies there, is in
`crash_points`; what must be true afterwards is in `ledger`.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .crash_points import Side, Strike, Window

Counted = Literal["group", "message"]
Upstream = Path | tuple[str, int]
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

SSL_REQUEST, GSSENC_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
STARTUP = "startup"
FLUSH = b"H\x00\x00\x00\x04"
# After these the server speaks; any other message is answered at the next Sync or Flush.
ENDS_GROUP = frozenset({"Q", "S", "H", "F", "X", "c", "f", "p", STARTUP})
# The reply that says a message has been carried out. CopyInResponse (G) hands the word back to the client.
CARRIED_OUT = {
    **{"P": "1", "B": "2", "C": "3", "D": "Tn", "E": "CIsG", "c": "CZ", "f": "CZ"},
    **{"Q": "ZG", "S": "Z", "F": "Z", "p": "RZ", STARTUP: "RZ", "X": "\0"},
}
HUNG_UP = (asyncio.IncompleteReadError, ConnectionError)


@dataclass(frozen=True)
class Message:
    """One protocol message: its type letter (`startup` for the first) and all of its bytes."""

    kind: str
    data: bytes

    def texts(self) -> list[str]:
        """The zero-terminated texts that the message begins with."""
        return [text.decode(errors="replace") for text in self.data[5:].split(b"\0", 2)]


class Toxics:
    """What is wrong with the wire at this moment; every switch works while connections are open.

    `latency`: seconds that each group waits before it is passed on. `stall`: replies are swallowed, and a
    connection that lost one stays half-open until it is closed. `refuse`: new connections are reset at once.
    """

    def __init__(self) -> None:
        self._passable = asyncio.Event()
        self.heal()

    def partition(self) -> None:
        """Nothing passes, hang-ups included; as with dropped packets, what was sent arrives after healing."""
        self._passable.clear()

    def heal(self) -> None:
        """The wire is well again."""
        self.latency, self.stall, self.refuse = 0.0, False, False
        self._passable.set()

    async def passage(self) -> None:
        await self._passable.wait()


class Answers:
    """What a connection's server still owes: in order, the replies that say each message was carried out."""

    def __init__(self) -> None:
        self._owed: deque[str] = deque()
        self._paid = asyncio.Event()
        self.idle = True  # outside any transaction

    def asked(self, kind: str) -> None:
        if owed := CARRIED_OUT.get(kind):
            self._owed.append(owed)
            self._paid.clear()

    def answered(self, message: Message) -> None:
        if message.kind == "Z":
            self.idle = message.data[5:6] == b"I"
        if message.kind == "E":
            self._skip_to_the_next_sync()
        elif self._owed and message.kind in self._owed[0] and not _is_last_word_of_login(message):
            self._owed.popleft()
        if not self._owed:
            self._paid.set()

    def _skip_to_the_next_sync(self) -> None:
        while self._owed and self._owed[0] not in ("Z", "ZG"):
            self._owed.popleft()

    def ended(self) -> None:
        self._owed.clear()
        self._paid.set()

    async def settled(self, deadline: float) -> bool:
        """Wait until nothing is owed; false if the server was silent until the deadline."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._paid.wait(), deadline)
        return self._paid.is_set()


def _is_last_word_of_login(message: Message) -> bool:
    # AuthenticationOk and SASLFinal ask nothing: the server goes on by itself until it is ready.
    return message.kind == "R" and message.data[5:9] in (b"\0\0\0\0", b"\0\0\0\x0c")


class Speech:
    """What a connection's client has said; `opening` tells a request from a poll, `latest` what is being sent."""

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}
        self.first_statement = ""
        self.opening = ""  # the statement that opened the present transaction
        self.latest = ""
        self._statements: dict[str, str] = {}
        self._portals: dict[str, str] = {}

    def introduced(self, startup: Message) -> None:
        words = [word.decode(errors="replace") for word in startup.data[8:].split(b"\0")]
        self.parameters = dict(zip(words[::2], words[1::2], strict=False))

    def heard(self, message: Message, *, idle: bool) -> str:
        """The SQL this message is about, if any."""
        sql = " ".join(self._sql_of(message).split())
        if sql:
            self.first_statement = self.first_statement or sql
            self.opening = sql if idle else self.opening
            self.latest = sql
        return sql

    def _sql_of(self, message: Message) -> str:
        if message.kind == "Q":
            return message.texts()[0]
        if message.kind == "P":
            name, sql = message.texts()[:2]
            self._statements[name] = sql
            return sql
        if message.kind == "B":
            portal, name = message.texts()[:2]
            self._portals[portal] = self._statements.get(name, "")
            return self._portals[portal]
        return self._portals.get(message.texts()[0], "") if message.kind == "E" else ""


Watch = Callable[[Speech], bool]


def named(application_name: str) -> Watch:
    """Watch the connections that gave this application_name."""
    return lambda speech: speech.parameters.get("application_name") == application_name


class Connection:
    """One client of the proxy and its server connection."""

    def __init__(self, proxy: PostgresProxy, number: int, client: Stream, server: Stream) -> None:
        self.number, self.speech, self.answers = number, Speech(), Answers()
        self.client_gone = False
        self._proxy, self._client, self._server = proxy, client, server
        self.mute = False  # this client is never answered again

    async def serve(self, startup: Message) -> None:
        """Relay until the server has closed its side: only then has it let go of locks and rolled back."""
        self.speech.introduced(startup)
        async with asyncio.TaskGroup() as group:
            requests = group.create_task(self._relay_requests(startup))
            await self._relay_replies()
            if not self.mute:
                requests.cancel()

    def reset(self) -> None:
        """Close the client's side without a goodbye."""
        _reset(self._client[1])

    async def _relay_replies(self) -> None:
        with suppress(*HUNG_UP):
            while True:
                message = await read_message(self._server[0])
                self.answers.answered(message)
                await self._deliver(message)
        self.answers.ended()
        await self._proxy.toxics.passage()

    async def _deliver(self, message: Message) -> None:
        await self._proxy.toxics.passage()
        self.mute = self.mute or self._proxy.toxics.stall
        if self.mute or self.client_gone:
            return
        # A client that hangs up is noticed where its requests are read; the server is read to its end.
        with suppress(ConnectionError):
            await _send(self._client, message.data)

    async def _relay_requests(self, startup: Message) -> None:
        with suppress(*HUNG_UP):
            await self._pass_on([startup])
            async for unit in self._units():
                await self._pass_on(unit)
        self.client_gone = True
        await self._proxy.toxics.passage()
        with suppress(OSError):
            self._server[1].write_eof()

    async def _units(self) -> AsyncIterator[list[Message]]:
        held: list[Message] = []
        while True:
            held.append(await read_message(self._client[0]))
            if held[-1].kind in ENDS_GROUP or self._proxy.counts_messages:
                yield held
                held = []

    async def _pass_on(self, unit: list[Message]) -> None:
        await self._proxy.toxics.passage()
        await asyncio.sleep(self._proxy.toxics.latency)
        spoken = [self.speech.heard(message, idle=self.answers.idle) for message in unit]
        kinds = "".join("^" if message.kind is STARTUP else message.kind for message in unit)
        strike = self._proxy.count(self, kinds, next(filter(None, spoken), ""))
        if strike:
            await self._carry_out(strike, unit)
        await self._forward(unit)

    async def _forward(self, unit: list[Message]) -> None:
        for message in unit:
            self.answers.asked(message.kind)
        await _send(self._server, b"".join(message.data for message in unit))

    async def _carry_out(self, strike: Strike, unit: list[Message]) -> None:
        self.mute = True
        if strike.side is Side.AFTER:
            strike.answered = await self._executed(unit, strike.reply_deadline)
        try:
            await strike.victim()
        finally:
            self.reset()
            strike.done.set()
        raise ConnectionAbortedError(f"struck at {strike.unit}")

    async def _executed(self, unit: list[Message], deadline: float) -> bool:
        await self._forward(unit)
        if unit[-1].kind not in ENDS_GROUP:
            await _send(self._server, FLUSH)  # a server answers a lone Parse or Bind only when told to
        return await self.answers.settled(deadline)


async def read_message(reader: asyncio.StreamReader) -> Message:
    head = await reader.readexactly(5)
    return Message(chr(head[0]), head + await reader.readexactly(int.from_bytes(head[1:]) - 4))


async def read_startup(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(8)
    return int.from_bytes(head[4:]), head + await reader.readexactly(int.from_bytes(head[:4]) - 8)


async def _send(stream: Stream, data: bytes) -> None:
    stream[1].write(data)
    await stream[1].drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    wire = writer.get_extra_info("socket")
    if wire.family != socket.AF_UNIX:  # there a close is all there is; here no linger makes it a RST
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class PostgresProxy:
    """Listens where the app's database URL points, and relays to the real server."""

    def __init__(self, upstream: Upstream) -> None:
        self.toxics, self.upstream = Toxics(), upstream
        self.connections: set[Connection] = set()
        self.counts_messages, self._served = False, 0
        self._window: Window | None = None
        self._watch: Watch | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []
        self._ended = asyncio.Event()

    async def listen(self, *, folder: Path | None = None, port: int = 0) -> int:
        """Listen in a folder, as PostgreSQL does, or on a loopback port (0: any free one); gives the port."""
        if folder:
            self._server = await asyncio.start_unix_server(self._accept, folder / ".s.PGSQL.5432")
            return 5432
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop; whatever went wrong inside the proxy itself is raised here."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        if self._failures:
            raise BaseExceptionGroup("the proxy failed", self._failures)

    @asynccontextmanager
    async def window(self, *, unit: Counted = "group", watch: Watch | None = None) -> AsyncIterator[Window]:
        """Count from now on, on all connections or those whose client is watched.

        Leaving waits until the server has let go of every client that hung up.
        """
        if self._window is not None:
            raise RuntimeError("one window at a time")
        self._window, self._watch, self.counts_messages = Window(), watch, unit == "message"
        try:
            yield self._window
        finally:
            self._window, self.counts_messages = None, False
        await self.released()

    async def released(self, deadline: float = 10) -> None:
        """Wait until no server process has lost its client: none can still commit or hold a lock then."""
        for _ in range(4):  # hang-ups that have arrived already are read in these turns of the loop
            await asyncio.sleep(0)
        async with asyncio.timeout(deadline):
            while any(connection.client_gone for connection in self.connections):
                self._ended.clear()
                await self._ended.wait()

    def reset(self) -> None:
        """Reset every open connection, as a restarted neighbour or a firewall does."""
        for connection in self.connections:
            connection.reset()

    def forget(self) -> None:
        """Let nothing more come back over the open connections, as a firewall that forgot them; new ones work."""
        for connection in self.connections:
            connection.mute = True

    def count(self, connection: Connection, kinds: str, sql: str) -> Strike | None:
        if self._window is None or (self._watch and not self._watch(connection.speech)):
            return None
        return self._window.count(connection.number, kinds, sql)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve((reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()):
            self._failures.append(failure)

    async def _serve(self, client: Stream) -> None:
        try:
            if self.toxics.refuse:
                return _reset(client[1])
            with suppress(*HUNG_UP):
                await self._greet(client)
        finally:
            client[1].close()

    async def _greet(self, client: Stream) -> None:
        code, data = await read_startup(client[0])
        while code in (SSL_REQUEST, GSSENC_REQUEST):
            await _send(client, b"N")
            code, data = await read_startup(client[0])
        await self.toxics.passage()
        server = await self._dial()
        try:
            await (_send(server, data) if code == CANCEL_REQUEST else self._relay(client, server, data))
        finally:
            server[1].close()

    async def _dial(self) -> Stream:
        try:
            if isinstance(self.upstream, Path):
                return await asyncio.open_unix_connection(self.upstream)
            return await asyncio.open_connection(*self.upstream)
        except OSError as error:
            raise ConnectionRefusedError(str(error)) from error

    async def _relay(self, client: Stream, server: Stream, startup: bytes) -> None:
        self._served += 1
        connection = Connection(self, self._served, client, server)
        self.connections.add(connection)
        try:
            await connection.serve(Message(STARTUP, startup))
        finally:
            self.connections.discard(connection)
            self._ended.set()
