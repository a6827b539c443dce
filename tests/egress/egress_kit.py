"""Receivers that do what a script says, a DNS server that answers by script, and certificates of our own making."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tenantry.foundation.net.egress import Egress, EgressLimits

QUICK = EgressLimits(resolving=0.6, connecting=0.6, total=1.0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAME = "hooks.example.com"


@dataclass
class Caller:
    """One connection to a receiver."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        """The next request, whole."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        return head + await self.reader.readexactly(length)

    async def say(self, data: bytes) -> None:
        """Send, as far as it is taken."""
        self.writer.write(data)
        await self.writer.drain()

    async def stay(self) -> None:
        """Keep the connection until the other side goes; what it still says is dropped."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """Hang up so that the other side sees a reset."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()


@dataclass
class Peer:
    """A receiver, and what it has seen."""

    host: str
    port: int = 0
    connections: int = 0
    gone: int = 0
    heard: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)

    @property
    def pair(self) -> str:
        """As the operator's list spells it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Where it is asked without TLS."""
        return f"http://{self.pair}/hook"


Script = Callable[[Peer, Caller], Awaitable[None]]


async def agreeing(peer: Peer, caller: Caller) -> None:
    """Takes every request."""
    while True:
        peer.heard.append(await caller.request())
        await caller.say(OK)


def saying(data: bytes, *, then_stays: bool = False) -> Script:
    """Answers the first request with these bytes, and closes, or does not."""

    async def script(peer: Peer, caller: Caller) -> None:
        peer.heard.append(await caller.request())
        await caller.say(data)
        if then_stays:
            await caller.stay()

    return script


def repeating(data: bytes, *, first: bytes = b"", every: float = 0) -> Script:
    """Answers the first request with the same bytes without end."""

    async def script(peer: Peer, caller: Caller) -> None:
        peer.heard.append(await caller.request())
        await caller.say(first)
        while True:
            await caller.say(data)
            await asyncio.sleep(every)

    return script


@asynccontextmanager
async def receiver(
    script: Script = agreeing, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Peer]:
    """A receiver on this machine."""
    peer, tasks = Peer(host), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await script(peer, Caller(reader, writer))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            peer.gone += 1
            tasks.discard(task)
            writer.close()

    if tls is not None:
        tls.sni_callback = lambda _, name, __: peer.names.append(name)
    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


Records = list[str] | int | None
"""Addresses (or `name` for an alias), a response code, or silence."""
Zone = Callable[[str, str, int], Records]
"""What is answered to a name and a kind ("A", "AAAA") at the how manieth question of this kind, from 0."""


class _Dns(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone, asked: list[tuple[str, str]]) -> None:
        self._zone, self._asked = zone, asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name, kind = query.question[0].name, dns.rdatatype.to_text(query.question[0].rdtype)
        asked = (name.to_text(omit_final_dot=True), kind)
        found = self._zone(*asked, self._asked.count(asked))
        self._asked.append(asked)
        if found is None:
            return
        answer = dns.message.make_response(query, recursion_available=True)
        if isinstance(found, int):
            answer.set_rcode(found)
        else:
            answer.answer = list(_rrsets(query.question[0].name.to_text(), kind, found))
        self._transport.sendto(answer.to_wire(), addr)  # type: ignore[attr-defined]


def _rrsets(owner: str, kind: str, found: list[str]) -> Iterator[dns.rrset.RRset]:
    for alias in (one for one in found if one.endswith(".")):
        yield dns.rrset.from_text(owner, 0, "IN", "CNAME", alias)
        owner = alias
    addresses = [one for one in found if not one.endswith(".")]
    if addresses:
        yield dns.rrset.from_text(owner, 0, "IN", kind, *addresses)


@dataclass
class Resolver:
    """A DNS server, and what it was asked."""

    pair: str
    asked: list[tuple[str, str]]


@asynccontextmanager
async def resolving(zone: Zone) -> AsyncIterator[Resolver]:
    """A DNS server on this machine."""
    asked: list[tuple[str, str]] = []
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Dns(zone, asked), local_addr=("127.0.0.1", 0)
    )
    try:
        yield Resolver(f"127.0.0.1:{transport.get_extra_info('sockname')[1]}", asked)
    finally:
        transport.close()


def always(*addresses: str) -> Zone:
    """The same addresses at every question, each to its kind."""

    def zone(_: str, kind: str, __: int) -> Records:
        return [one for one in addresses if one.endswith(".") or (":" in one) is (kind == "AAAA")]

    return zone


@asynccontextmanager
async def egress(
    *peers: Peer, resolver: Resolver | None = None, limits: EgressLimits = QUICK, trust: ssl.SSLContext | None = None
) -> AsyncIterator[Egress]:
    """The client, allowed to ask these receivers."""
    made = Egress(allow=[peer.pair for peer in peers], resolver=resolver and resolver.pair, limits=limits, trust=trust)
    try:
        yield made
    finally:
        await made.close()


async def post(asking: Egress, url: str, body: bytes = b"{}") -> int:
    """The status of one plain request."""
    return (await asking.post(url, headers={"Content-Type": "application/json"}, body=body)).status


class Authority:
    """A certificate authority that nobody knows but who is told."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, count()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _subject("authority")
        self._certificate = self._signed(self._subject, self._key, x509.BasicConstraints(ca=True, path_length=0))

    @property
    def trust(self) -> ssl.SSLContext:
        """What who is told believes."""
        pem = self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)

    def serving(self, *names: str) -> ssl.SSLContext:
        """What a receiver with these names shows."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(_subject("receiver"), key, x509.SubjectAlternativeName(list(map(_general, names))))
        path = self._folder / f"{next(self._numbers)}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        today = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - datetime.timedelta(days=1))
            .not_valid_after(today + datetime.timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
