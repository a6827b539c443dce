"""Hostile receivers: each costs its deadline and a few hundred KiB at most, and none is believed half."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import Iterator
from functools import partial
from time import monotonic
from typing import Any

import pytest
from aiohttp.client_proto import ResponseHandler

from egress.egress_kit import (
    OK,
    QUICK,
    Caller,
    Peer,
    Script,
    egress,
    post,
    receiver,
    repeating,
    saying,
)
from patience import until
from tenantry.foundation.net.egress import Answered, EgressLimits, NotReached
from tenantry.foundation.net.egress.limits import MOST_HEAD, MOST_HEADERS, MOST_READ, MOST_WIRE, SLICE
from tenantry.foundation.net.egress.receiver import Receiver, Room, TooMuch

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MOST_MEMORY = 384 * 1024
# nothing here has to wait for the deadline of the whole
PATIENT = EgressLimits(total=30)


async def _asked(script: Script, limits: EgressLimits = QUICK, body: bytes = b"{}") -> Answered | str:
    """The answer, or the kind of failure; by then the receiver's connection is gone, if that was not its own doing."""
    async with receiver(script) as hostile, egress(hostile, limits=limits) as asking:
        try:
            return await asking.post(hostile.url, headers={}, body=body)
        except NotReached as failed:
            await until(lambda: hostile.gone == hostile.connections)
            return failed.kind


async def _mute(peer: Peer, caller: Caller) -> None:
    await caller.request()
    await caller.stay()


async def _leaves(peer: Peer, caller: Caller) -> None:
    await caller.request()


async def _resets(peer: Peer, caller: Caller) -> None:
    await caller.request()
    caller.reset()


async def _resets_within(peer: Peer, caller: Caller) -> None:
    await caller.request()
    await caller.say(HEAD + b"Content-Length: 10\r\n\r\nabc")
    caller.reset()


async def _speaks_first(peer: Peer, caller: Caller) -> None:
    await caller.say(b"SSH-2.0-OpenSSH_9.6\r\n")
    await caller.stay()


LATE: dict[str, Script] = {
    "never answers": _mute,
    "never ends": saying(HEAD + b"\r\nabc", then_stays=True),
    "never ends what it announced": saying(HEAD + b"Content-Length: 10\r\n\r\nabc", then_stays=True),
    "never ends its chunks": saying(CHUNKED + b"3\r\nabc\r\n", then_stays=True),
    "never ends its head": saying(HEAD + b"X: y\r\n", then_stays=True),
    "never ends its line": saying(b"HTTP/1.1 2", then_stays=True),
    "says only what comes before an answer": saying(b"HTTP/1.1 100 Continue\r\n\r\n", then_stays=True),
    "drips its head": repeating(b"X", every=0.05, first=HEAD),
    "drips its body": repeating(b"x", every=0.05, first=HEAD + b"Content-Length: 1000\r\n\r\n"),
    "drips its chunks": repeating(b"1\r\nx\r\n", every=0.05, first=CHUNKED),
    "drips without a length": repeating(b"x", every=0.05, first=HEAD + b"\r\n"),
}
NO_ANSWER: dict[str, Script] = {
    "closes at once": _leaves,
    "resets": _resets,
    "resets within the body": _resets_within,
    "speaks first, and something else": _speaks_first,
    "says garbage": saying(b"\x00\xff\x13garbage\r\n\r\n"),
    "says garbage and stays": saying(b"garbage" * 100 + b"\r\n\r\n", then_stays=True),
    "is of HTTP/0.9": saying(b"<html>hello</html>\r\n"),
    "speaks HTTP/2": saying(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18, then_stays=True),
    "speaks TLS": saying(b"\x15\x03\x01\x00\x02\x02\x28", then_stays=True),
    "answers with a request": saying(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", then_stays=True),
    "has no number": saying(b"HTTP/1.1 OK\r\n\r\n", then_stays=True),
    "has a number that is none": saying(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"),
    "changes the protocol": saying(
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxyz", then_stays=True
    ),
    "ends within its head": saying(HEAD + b"X: y\r\n"),
    "ends before its length": saying(HEAD + b"Content-Length: 10\r\n\r\nabc"),
    "ends within a chunk": saying(CHUNKED + b"5\r\nab"),
    "ends before the last chunk": saying(CHUNKED + b"2\r\nab\r\n"),
    "breaks off its chunks": saying(CHUNKED + b"2\r\nab\r\nzz\r\n", then_stays=True),
    "has two lengths": saying(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", then_stays=True),
    "has no length": saying(HEAD + b"Content-Length: -1\r\n\r\n", then_stays=True),
    "has a length beyond numbers": saying(HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n", then_stays=True),
    "has NUL in its head": saying(HEAD + b"X: a\0b\r\nContent-Length: 0\r\n\r\n", then_stays=True),
}
TOO_LARGE: dict[str, Script] = {
    "has endless headers": repeating(b"X-Name: and a value\r\n" * 50, first=HEAD),
    "has endless short headers": repeating(b"a:\r\n" * 500, first=HEAD),
    "has one endless header": repeating(b"x" * 4096, first=HEAD + b"X: "),
    "has one endless name": repeating(b"x" * 4096, first=HEAD),
    "has an endless first line": repeating(b"x" * 4096, first=b"HTTP/1.1 200 "),
    "says 100 for ever": repeating(b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    "says 103 for ever": repeating(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 20),
}
LONG: dict[str, Script] = {
    "announces a gigabyte": repeating(b"x" * 65536, first=HEAD + b"Content-Length: 1073741824\r\n\r\n"),
    "announces more than there is": repeating(
        b"x" * 65536, first=HEAD + b"Content-Length: 9223372036854775807\r\n\r\n"
    ),
    "announces no end": repeating(b"x" * 65536, first=HEAD + b"\r\n"),
    "has endless chunks": repeating(b"2000\r\n" + b"x" * 8192 + b"\r\n", first=CHUNKED),
    "has endless chunks of one byte": repeating(b"1\r\nx\r\n" * 5000, first=CHUNKED),
    "has one endless frame": repeating(b"x" * 8192, first=CHUNKED + b"1\r\nx\r\n1;"),
    "has endless trailers": repeating(b"X: y\r\n" * 50, first=CHUNKED + b"1\r\nx\r\n0\r\n"),
}


@pytest.mark.parametrize("how", LATE)
async def test_a_receiver_that_takes_its_time_has_the_deadline_and_no_more(how: str) -> None:
    began = monotonic()
    assert await _asked(LATE[how], EgressLimits(total=0.3)) == "timeout"
    assert monotonic() - began < 2


@pytest.mark.parametrize("how", NO_ANSWER)
async def test_what_is_no_whole_answer_is_none_and_is_not_waited_for(how: str) -> None:
    began = monotonic()
    assert await _asked(NO_ANSWER[how], PATIENT) == "bad_answer"
    assert monotonic() - began < 5


@pytest.mark.parametrize("how", TOO_LARGE)
async def test_a_head_has_an_end(how: str) -> None:
    assert await _asked(TOO_LARGE[how], PATIENT) == "too_large"


@pytest.mark.parametrize("how", LONG)
async def test_an_answer_counts_when_there_is_more_of_it_than_is_read(how: str) -> None:
    async with receiver(LONG[how]) as hostile, egress(hostile, limits=PATIENT) as asking:
        if how == "has endless trailers":
            with pytest.raises(NotReached, match=r"too_large|bad_answer"):
                await post(asking, hostile.url)
        else:
            answered = await asking.post(hostile.url, headers={}, body=b"{}")
            assert answered.status == 200
            assert answered.beginning.strip(b"x") == b""
            assert len(answered.beginning) in {1, 1024}
        await until(lambda: hostile.gone)


async def test_who_says_64_kib_is_heard_out_and_who_says_more_is_hung_up_on() -> None:
    async def script(peer: Peer, caller: Caller) -> None:
        for size in (MOST_READ, 2 * MOST_READ):
            await caller.request()
            await caller.say(HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
        await caller.stay()

    async with receiver(script) as sink, egress(sink) as asking:
        for connections in (1, 1, 2):
            assert await post(asking, sink.url) == 200
            assert sink.connections == connections


@pytest.mark.parametrize("more", [b"more", b"\0", b"\r\n\r\n garbage", OK, b"x" * 100_000])
@pytest.mark.parametrize("answer", [OK, HEAD + b"Content-Length: 0\r\n\r\n", CHUNKED + b"2\r\nok\r\n0\r\n\r\n"])
async def test_who_says_more_than_was_announced_has_answered_and_is_not_asked_there_again(
    answer: bytes, more: bytes
) -> None:
    async def script(peer: Peer, caller: Caller) -> None:
        await caller.request()
        await caller.say(answer + more)
        await caller.stay()

    async with receiver(script) as sink, egress(sink) as asking:
        for connections in (1, 2):
            assert await post(asking, sink.url) == 200
            assert sink.connections == connections


@pytest.mark.parametrize("size", [5_000, 20_000, MOST_READ])
@pytest.mark.parametrize("framing", ["length", "chunks", "end"])
async def test_a_long_answer_of_a_receiver_that_hangs_up_behind_it_is_whole(size: int, framing: str) -> None:
    body = b"x" * size
    said = {
        "length": HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size + body,
        "chunks": CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body),
        "end": HEAD + b"\r\n" + body,
    }[framing]
    answered = await _asked(saying(said), PATIENT)
    assert isinstance(answered, Answered)
    assert answered.beginning == body[:1024]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_what_is_packed_stays_packed(encoding: str) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    head = HEAD + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding.encode(), len(bomb))
    answered = await _asked(saying(head + bomb))
    assert isinstance(answered, Answered)
    assert answered.beginning == bomb[:1024]


@pytest.mark.parametrize("body", [b"", b"ok", b"x" * 1023, b"x" * 1025, bytes(range(256)) * 5])
async def test_of_what_is_said_the_first_kibibyte_is_kept(body: bytes) -> None:
    answered = await _asked(saying(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body))
    assert isinstance(answered, Answered)
    assert answered.beginning == body[:1024]


@pytest.mark.parametrize("status", [200, 204, 304, 400, 404, 410, 429, 500, 503, 599])
async def test_an_answer_is_one_whatever_it_says(status: int) -> None:
    answered = await _asked(saying(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status))
    assert isinstance(answered, Answered)
    assert answered.status == status


async def test_an_answer_after_a_word_in_between_is_heard() -> None:
    answered = await _asked(saying(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n" + OK))
    assert isinstance(answered, Answered)
    assert (answered.status, answered.beginning) == (200, b"ok")


@pytest.mark.parametrize(
    ("said", "told"),
    [(b"120", "120"), (b"Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"), (b"\xff\xfe", None),
     (b"x" * 65, None), (b"1\x7f", None), (b"", None)],
)  # fmt: skip
async def test_when_to_come_again_is_told_if_it_is_text(said: bytes, told: str | None) -> None:
    answered = await _asked(saying(b"HTTP/1.1 503 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n" % said))
    assert isinstance(answered, Answered)
    assert answered.retry_after == told


async def test_a_receiver_that_answers_before_it_has_heard_all_has_answered() -> None:
    async def script(peer: Peer, caller: Caller) -> None:
        await caller.reader.readuntil(b"\r\n\r\n")
        await caller.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        # reads nothing, and keeps the connection
        await asyncio.sleep(20)

    answered = await _asked(script, PATIENT, body=b"x" * 1_000_000)
    assert isinstance(answered, Answered)
    assert answered.status == 413
    assert answered.took < 5


async def test_a_receiver_that_does_not_read_keeps_nothing_of_ours() -> None:
    """A polite close would wait until everything is taken, which is for as long as the receiver likes."""
    taken = 0

    async def script(peer: Peer, caller: Caller) -> None:
        nonlocal taken
        caller.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(0.5)
        caller.writer.transport.resume_reading()  # type: ignore[attr-defined]
        while some := await caller.reader.read(65536):
            taken += len(some)

    size = 20_000_000
    async with receiver(script) as hostile, egress(hostile, limits=EgressLimits(total=0.3)) as asking:
        with pytest.warns(ResourceWarning), pytest.raises(NotReached, match="timeout"):
            await post(asking, hostile.url, body=b"x" * size)
        await until(lambda: hostile.gone)
    assert taken < size


@pytest.mark.parametrize("more", [OK, b"HTTP/1.1 204 X\r\n\r\n" * 3, b"\r\n\r\n garbage", b"HTTP/1.1 100 X\r\n\r\n"])
async def test_what_nobody_asked_for_is_no_answer_to_the_next_question(more: bytes) -> None:
    async def script(peer: Peer, caller: Caller) -> None:
        peer.heard.append(await caller.request())
        await caller.say(HEAD + b"Content-Length: %d\r\n\r\n%d" % (1, peer.connections))
        await caller.say(more)
        await caller.stay()

    async with receiver(script) as hostile, egress(hostile) as asking:
        for number in (1, 2):
            answered = await asking.post(hostile.url, headers={}, body=b"{}")
            assert answered.beginning == b"%d" % number
            await until(lambda: hostile.gone == hostile.connections)


@pytest.mark.parametrize("said", [b"HTTP/1.1 2", b"\r\n", b"x", OK])
async def test_a_connection_on_which_something_is_said_while_it_waits_is_closed(said: bytes) -> None:
    waits = asyncio.Event()

    async def script(peer: Peer, caller: Caller) -> None:
        await caller.request()
        await caller.say(OK)
        await waits.wait()
        await caller.say(said)
        await caller.stay()

    async with receiver(script) as hostile, egress(hostile) as asking:
        await post(asking, hostile.url)
        waits.set()
        await until(lambda: hostile.gone)


@pytest.mark.parametrize("more", [OK, OK * 2000])
async def test_an_answer_with_others_behind_it_is_the_only_one(more: bytes) -> None:
    async def script(peer: Peer, caller: Caller) -> None:
        await caller.request()
        await caller.say(b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\n%d" % peer.connections + more)
        await caller.stay()

    async with receiver(script) as hostile, egress(hostile) as asking:
        for number in (1, 2):
            answered = await asking.post(hostile.url, headers={}, body=b"{}")
            assert (answered.status, answered.beginning) == (201, b"%d" % number)


async def test_hostile_receivers_delay_nobody_else() -> None:
    scripts = [*LATE.values(), *TOO_LARGE.values(), *LONG.values()]
    async with receiver() as good, receiver(_one_of(scripts)) as hostile, egress(good, hostile) as asking:
        for _ in range(3):
            await post(asking, good.url)
        wars = [asyncio.create_task(_failing(partial(post, asking, hostile.url))) for _ in scripts]
        worst = 0.0
        while not all(war.done() for war in wars):
            worst = max(worst, (await asking.post(good.url, headers={}, body=b"{}")).took)
    assert worst < QUICK.total / 2


def _one_of(scripts: list[Script]) -> Script:
    async def script(peer: Peer, caller: Caller) -> None:
        await scripts[peer.connections % len(scripts)](peer, caller)

    return script


async def _failing(what: Any) -> None:
    try:
        await what()
    except NotReached:
        return


class _Wire(asyncio.Transport):
    """A transport that carries nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.is_gone = self.is_held = False

    def is_closing(self) -> bool:
        return self.is_gone

    def abort(self) -> None:
        self.is_gone = True

    close = abort

    def pause_reading(self) -> None:
        self.is_held = True

    def resume_reading(self) -> None:
        self.is_held = False


FLOODS = {
    "headers": (HEAD, b"X-Name: and a value\r\n"),
    "short headers": (HEAD, b"a:\n"),
    "a line": (HEAD + b"X: ", b"x"),
    "interim answers": (b"", b"HTTP/1.1 100 X\r\n\r\n"),
    "a body": (HEAD + b"\r\n", b"x"),
    "chunks": (CHUNKED, b"1\r\nx\r\n"),
    "a frame": (CHUNKED + b"1;", b"x"),
    "trailers": (CHUNKED + b"0\r\n", b"a:\n"),
    "answers": (b"", b"HTTP/1.1 204 X\r\n\r\n"),
    "answers in short": (b"", b"HTTP/1.1 204 X\n\n"),
    "interim answers in short": (b"", b"HTTP/1.1 100 X\n\n"),
    "another protocol": (b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b"x"),
}


@pytest.fixture
def measured() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("what", FLOODS)
async def test_a_flood_fills_no_memory(what: str) -> None:
    """Nobody reads what comes in, so that all of it would be kept."""
    wire, receiving = _Wire(), Receiver(asyncio.get_running_loop(), room=Room(9), age=9)
    receiving.connection_made(wire)
    receiving.set_response_params(
        read_until_eof=True, auto_decompress=False, read_bufsize=SLICE, max_headers=MOST_HEADERS
    )
    first, rest = FLOODS[what]
    flood = rest * (24 * 1024 // len(rest))
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    receiving.data_received(first)
    for _ in range(400):
        if not (wire.is_gone or wire.is_held):
            receiving.data_received(flood)
    _, peak = tracemalloc.get_traced_memory()
    assert wire.is_gone or wire.is_held
    assert peak - before < MOST_MEMORY


async def test_a_flood_ends_at_its_number_of_bytes() -> None:
    for first, most in ((b"", MOST_HEAD), (CHUNKED, MOST_WIRE)):
        wire, receiving = _Wire(), Receiver(asyncio.get_running_loop(), room=Room(9), age=9)
        receiving.connection_made(wire)
        receiving.set_response_params(max_headers=10**6, max_field_size=10**6, max_line_size=10**6)
        receiving.data_received(first)
        heard = len(first)
        while not wire.is_gone:
            receiving.data_received(b"0" * 512 if first else b"HTTP/1.1 200 " if heard == 0 else b"x" * 512)
            heard += 512
        assert most <= heard < most + 2 * SLICE
        # what fails because of it tells nothing new
        receiving.set_exception(OSError())
        assert isinstance(receiving.exception(), TooMuch)


async def test_nothing_more_is_parsed_once_a_connection_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    heard = ResponseHandler.data_received

    def counting(self: ResponseHandler, data: bytes) -> None:
        parsed.append(data)
        heard(self, data)

    monkeypatch.setattr(ResponseHandler, "data_received", counting)
    wire, receiving = _Wire(), Receiver(asyncio.get_running_loop(), room=Room(9), age=9)
    receiving.connection_made(wire)
    receiving.set_response_params()
    receiving.data_received(b"garbage" * 10_000)
    assert wire.is_gone
    assert [len(one) for one in parsed] == [SLICE]


def test_a_connection_that_is_done_with_goes_at_once() -> None:
    class Polite(_Wire):
        def close(self) -> None:
            raise AssertionError("waits for the other side")

    loop = asyncio.new_event_loop()
    wire, receiving = Polite(), Receiver(loop, room=Room(9), age=9)
    receiving.connection_made(wire)
    receiving.close()
    loop.close()
    assert wire.is_gone
