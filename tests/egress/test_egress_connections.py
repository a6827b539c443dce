"""Connections: by name to a vetted address, with the right certificate, kept for a while, and told nothing of us."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest

from egress.egress_kit import (
    NAME,
    OK,
    QUICK,
    Authority,
    Caller,
    Peer,
    agreeing,
    always,
    egress,
    post,
    receiver,
    resolving,
    saying,
)
from patience import until
from tenantry.foundation.net.egress import EgressLimits, NotReached
from tenantry.foundation.net.egress.addresses import Address
from tenantry.foundation.net.egress.allowed import Policy
from tenantry.foundation.net.egress.connector import Forbidden, VettingConnector

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def test_a_receiver_is_told_what_was_said_and_nothing_of_us() -> None:
    async with receiver() as sink, egress(sink) as asking:
        answered = await asking.post(sink.url, headers={"webhook-id": "evt_1"}, body=b'{"a":1}')
    assert (answered.status, answered.beginning, answered.retry_after) == (200, b"ok", None)
    assert 0 < answered.took < QUICK.total
    head, _, body = sink.heard[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook HTTP/1.1"
    assert set(lines[1:]) == {
        f"Host: {sink.pair}", "webhook-id: evt_1", "User-Agent: Tenantry", "Accept: */*", "Accept-Encoding: identity",
        "Content-Length: 7",
    }  # fmt: skip
    assert body == b'{"a":1}'


@pytest.mark.parametrize(
    "asked", ["/a/../b/./c", "/%2e%2E/x", "/a?b=%20&c[]=%2B+", "/a%0d%0aX:%20y", "//x//", "/a;b=c?d?e"]
)
async def test_a_path_goes_out_as_it_was_given(asked: str) -> None:
    async with receiver() as sink, egress(sink) as asking:
        await post(asking, f"http://{sink.pair}{asked}")
    assert sink.heard[0].startswith(b"POST %s HTTP/1.1\r\n" % asked.encode())


async def test_ipv6_is_asked_by_its_address() -> None:
    async with receiver(host="::1") as sink, egress(sink) as asking:
        assert await post(asking, sink.url) == 200
    assert f"Host: [::1]:{sink.port}".encode() in sink.heard[0]


async def test_a_name_is_asked_by_its_address_under_its_name(authority: Authority) -> None:
    tls = authority.serving(NAME)
    async with (
        receiver(tls=tls) as sink,
        resolving(always("127.0.0.1")) as resolver,
        egress(sink, resolver=resolver, trust=authority.trust) as asking,
    ):
        assert await post(asking, f"https://{NAME}:{sink.port}/x") == 200
    assert sink.names == [NAME]
    assert f"Host: {NAME}:{sink.port}\r\n".encode() in sink.heard[0]


async def test_an_address_is_asked_under_its_own_certificate(authority: Authority) -> None:
    async with receiver(tls=authority.serving("127.0.0.1")) as sink, egress(sink, trust=authority.trust) as asking:
        assert await post(asking, f"https://{sink.pair}/") == 200


@pytest.mark.parametrize("shown", ["other.example.com", "127.0.0.1", "example.com"])
async def test_a_certificate_for_another_name_is_not_taken(authority: Authority, shown: str) -> None:
    async with (
        receiver(tls=authority.serving(shown)) as sink,
        resolving(always("127.0.0.1")) as resolver,
        egress(sink, resolver=resolver, trust=authority.trust) as asking,
    ):
        with pytest.raises(NotReached) as failed:
            await post(asking, f"https://{NAME}:{sink.port}/")
    assert failed.value.kind == "tls"
    assert not sink.heard


async def test_a_certificate_of_an_unknown_authority_is_not_taken(authority: Authority) -> None:
    async with receiver(tls=authority.serving("127.0.0.1")) as sink, egress(sink) as asking:
        with pytest.raises(NotReached) as failed:
            await post(asking, f"https://{sink.pair}/")
    assert failed.value.kind == "tls"
    assert not sink.heard


async def test_an_old_tls_is_not_spoken(authority: Authority) -> None:
    tls = authority.serving("127.0.0.1")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    async with receiver(tls=tls) as sink, egress(sink, trust=authority.trust) as asking:
        with pytest.raises(NotReached):
            await post(asking, f"https://{sink.pair}/")
    assert not sink.heard


async def test_a_receiver_without_tls_is_not_spoken_to_plainly() -> None:
    async with receiver() as sink, egress(sink) as asking:
        with pytest.raises(NotReached) as failed:
            await post(asking, f"https://{sink.pair}/")
    assert failed.value.kind in {"tls", "timeout"}
    assert not sink.heard


async def test_a_socket_is_looked_at_again_whoever_chose_its_address() -> None:
    """An address in a URL never meets aiohttp's resolver; nor would one from a cache or an answer it followed."""

    class Nobody:
        async def addresses_of(self, name: str) -> tuple[Address, ...]:
            raise AssertionError(name)

    async with receiver() as canary:
        connector = VettingConnector(Policy(()), Nobody(), QUICK, ssl.create_default_context(), only_allowed=False)
        async with aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(aiohttp.ClientConnectorError) as refused:
                await session.post(canary.url)
        assert isinstance(refused.value.os_error, Forbidden)
        assert canary.connections == 0


async def test_the_way_without_tls_reaches_no_public_address() -> None:
    class Public:
        async def addresses_of(self, name: str) -> tuple[Address, ...]:
            raise AssertionError(name)

    connector = VettingConnector(
        Policy(["127.0.0.1:1"]), Public(), QUICK, ssl.create_default_context(), only_allowed=True
    )
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as refused:
            await session.post("http://8.8.8.8/")
    assert isinstance(refused.value.os_error, Forbidden)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_nobody_is_sent_on(status: int) -> None:
    async with receiver() as canary:
        head = f"HTTP/1.1 {status} Gone\r\nLocation: {canary.url}\r\nRefresh: 0; url={canary.url}\r\n"
        async with (
            receiver(saying(f"{head}Content-Length: 0\r\n\r\n".encode())) as sink,
            egress(canary, sink) as asking,
        ):
            assert await post(asking, sink.url) == status
        assert canary.connections == 0


async def test_the_environment_sends_nobody_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with receiver() as canary, receiver() as sink, egress(sink) as asking:
        for name in PROXIES:
            monkeypatch.setenv(name, f"http://{canary.pair}")
        assert await post(asking, sink.url) == 200
        assert canary.connections == 0
    assert b"authorization" not in sink.heard[0].lower()


async def test_no_cookie_is_kept() -> None:
    async def script(peer: Peer, caller: Caller) -> None:
        while True:
            peer.heard.append(await caller.request())
            await caller.say(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n"))

    async with receiver(script) as sink, egress(sink) as asking:
        for _ in range(2):
            await post(asking, sink.url)
    assert len(sink.heard) == 2
    assert b"cookie" not in sink.heard[1].lower()


@pytest.mark.parametrize(
    "headers",
    [{"x": "a\r\nHost: b"}, {"x": "a\nb"}, {"x": "a\rb"}, {"x": "a\0b"}, {"x": "a\tb"}, {"x": "Ā"}, {"x": "é"},
     {"x\r\ny": "a"}, {"x:": "a"}, {"": "a"}, {"x y": "a"}, {"ü": "a"}, {"x": " a"}, {"x": "a "}, {"x\0": "a"},
     {"Host": "a"}, {"content-length": "1"}, {"Transfer-Encoding": "chunked"}, {"CONNECTION": "close"},
     {"Upgrade": "h2c"}, {"Expect": "100-continue"}, {"Content-Encoding": "gzip"}, {"Cookie": "a=b"},
     {"TE": "trailers"}],
)  # fmt: skip
async def test_a_header_that_is_two_or_that_frames_the_request_is_never_sent(headers: dict[str, str]) -> None:
    async with receiver() as sink, egress(sink) as asking:
        with pytest.raises(ValueError, match="a header m") as refused:
            await asking.post(sink.url, headers=headers, body=b"{}")
        assert sink.connections == 0
    assert not [value for value in headers.values() if len(value) > 3 and value in str(refused.value)]


async def test_a_connection_is_used_again() -> None:
    async with receiver() as sink, egress(sink) as asking:
        for _ in range(3):
            await post(asking, sink.url)
        assert (sink.connections, len(sink.heard)) == (1, 3)


async def test_a_connection_that_waits_is_closed() -> None:
    limits = EgressLimits(idle=0.1)
    async with receiver() as sink, egress(sink, limits=limits) as asking:
        await post(asking, sink.url)
        await until(lambda: sink.gone, within=3)


async def test_a_connection_grows_no_older_than_its_age() -> None:
    limits = EgressLimits(age=-1)
    async with receiver() as sink, egress(sink, limits=limits) as asking:
        for _ in range(2):
            await post(asking, sink.url)
        assert sink.connections == 2


async def test_so_many_are_connected_at_once_and_others_wait_their_turn() -> None:
    open_now: list[int] = []

    async def script(peer: Peer, caller: Caller) -> None:
        while True:
            await caller.request()
            open_now.append(peer.connections - peer.gone)
            await caller.say(OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))

    limits = EgressLimits(at_once=3)
    async with receiver(script) as sink, egress(sink, limits=limits) as asking:
        assert set(await asyncio.gather(*(post(asking, sink.url) for _ in range(12)))) == {200}
    assert max(open_now) == 3


async def test_of_many_open_connections_none_more_is_kept() -> None:
    """Each receiver may have one that waits; together they are not more than may be in use."""
    limits = EgressLimits(at_once=2)
    async with (
        receiver() as one,
        receiver() as two,
        receiver() as three,
        egress(one, two, three, limits=limits) as asking,
    ):
        for sink in (one, two, three):
            await post(asking, sink.url)
        await until(lambda: three.gone)
        assert (one.gone, two.gone) == (0, 0)


async def test_whoever_asks_after_closing_opens_anew() -> None:
    async with receiver() as sink, egress(sink) as asking:
        await post(asking, sink.url)
        await asking.close()
        await until(lambda: sink.gone)
        assert await post(asking, sink.url) == 200


async def test_a_port_that_nobody_listens_at_is_unreachable() -> None:
    async with receiver() as sink:
        pass
    async with egress(sink) as asking:
        with pytest.raises(NotReached) as failed:
            await post(asking, sink.url)
    assert failed.value.kind == "unreachable"
    assert str(sink.port) not in failed.value.sentence


async def test_a_receiver_that_takes_no_connection_ends_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        peer = Peer("127.0.0.1", silent.getsockname()[1])
        # its queue is full: who comes now is not answered
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)  # noqa: FBT003
            filler.connect_ex(("127.0.0.1", peer.port))
        async with egress(peer, limits=EgressLimits(connecting=0.3)) as asking:
            with pytest.raises(NotReached) as failed:
                await post(asking, peer.url)
        for filler in fillers:
            filler.close()
    assert failed.value.kind == "timeout"
    assert failed.value.took < 3


async def test_a_handshake_that_never_comes_ends_in_time() -> None:
    async def script(peer: Peer, caller: Caller) -> None:
        await caller.stay()

    async with receiver(script) as sink, egress(sink, limits=EgressLimits(connecting=0.3)) as asking:
        with pytest.raises(NotReached) as failed:
            await post(asking, f"https://{sink.pair}/")
    assert failed.value.kind == "timeout"
    assert failed.value.took < 3


async def test_another_address_is_tried_when_one_does_not_answer() -> None:
    async with receiver(agreeing, host="127.0.0.2") as sink, resolving(always("127.0.0.3", "127.0.0.2")) as resolver:
        dead = Peer("127.0.0.3", sink.port)
        async with egress(sink, dead, resolver=resolver) as asking:
            assert await post(asking, f"http://{NAME}:{sink.port}/") == 200
