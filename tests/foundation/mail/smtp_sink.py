"""Mail servers: a real one that keeps what it is given, and scripted ones that misbehave."""

from __future__ import annotations

import asyncio
import email
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any

from aiosmtpd.smtp import SMTP


class Sink:
    """A mail server's decisions, and what it was given."""

    def __init__(self, rcpt: str = "250 ok", data: str = "250 ok") -> None:
        self.rcpt, self.data = rcpt, data
        self.hello = ""
        self.envelopes: list[Any] = []

    async def handle_EHLO(self, server: SMTP, session: Any, envelope: Any, hostname: str, replies: list[str]) -> Any:
        self.hello = session.host_name = hostname
        return replies

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        if self.data.startswith("250"):
            self.envelopes.append(envelope)
        return self.data

    def message(self) -> EmailMessage:
        (envelope,) = self.envelopes
        parsed = email.message_from_bytes(envelope.content, policy=SMTP_POLICY)
        assert isinstance(parsed, EmailMessage)
        return parsed


@asynccontextmanager
async def listening(protocol: Callable[[], asyncio.BaseProtocol], **rest: Any) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, **rest)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def serving(sink: Sink, **rest: Any) -> Any:
    return listening(lambda: SMTP(sink, enable_SMTPUTF8=True, **rest))


class Scripted(asyncio.Protocol):
    """A server that answers what its script says for a command, and nothing where it says nothing."""

    def __init__(self, script: dict[str, str], greeting: str = "220 here\r\n") -> None:
        self.script, self.greeting = script, greeting

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.greeting.encode())

    def data_received(self, data: bytes) -> None:
        command = "." if data.endswith(b"\r\n.\r\n") else data.decode("latin-1")[:4].upper()
        self.transport.write(self.script.get(command, "").encode())


POLITE = {
    "EHLO": "250 here\r\n", "MAIL": "250 ok\r\n", "RCPT": "250 ok\r\n", "DATA": "354 go\r\n",
    ".": "250 ok\r\n",
}  # fmt: skip


class Slow(Scripted):
    """A server that answers everything, each time just before one would give up."""

    def data_received(self, data: bytes) -> None:
        asyncio.get_running_loop().call_later(0.25, super().data_received, data)
