"""Our own load generator, a process of its own: closed-loop connections, each answer's status and latency.

`python -m bench.client < job > result`. It says `begin` when the warm-up is over, so that the caller can read
the meters at that moment, and one JSON line at the end. wrk is lighter; this one can answer with what it was
given (a refresh chain), send another body each time, and runs where wrk is missing.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import uvloop

from bench.wire import ADDRESS, SERIAL, client_address

PATIENCE = 60.0
REFRESH = re.compile(rb'"refresh_token"\s*:\s*"([^"]+)"')
Next = Callable[[bytes], bytes]


class Run:
    """One load: its clock and its counts."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.begin = perf_counter() + job["warmup"]
        self.end = self.begin + job["seconds"]
        self.last = self.begin
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.samples: dict[str, str] = {}
        self.dropped = 0

    def count(self, began: float, now: float, status: str, answer: bytes) -> None:
        """Count an answer, unless it belongs to the warm-up."""
        if began < self.begin:
            return
        self.last = now
        self.statuses[status] += 1
        self.latencies.append(now - began)
        if status not in self.samples:
            self.samples[status] = answer[-300:].decode(errors="replace")

    def result(self) -> dict[str, Any]:
        """The counts as the harness reads them."""
        ordered = sorted(self.latencies)
        at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * q))] for name, q in QUANTILES.items() if ordered}
        return {
            "seconds": self.last - self.begin,
            "statuses": dict(self.statuses),
            "samples": self.samples,
            "dropped": self.dropped,
            "latency_ms": {name: round(value * 1000, 3) for name, value in at.items()},
        }


QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


class Connection(asyncio.Protocol):
    """One connection that sends its next request when the answer to the last one is complete."""

    def __init__(self, run: Run, following: Next) -> None:
        self.run, self.following = run, following
        self.buffer, self.began = b"", 0.0
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport: Any = transport
        self.send(b"")

    def send(self, answer: bytes) -> None:
        """Send the request that follows this answer."""
        self.began = perf_counter()
        self.transport.write(self.following(answer))

    def data_received(self, data: bytes) -> None:
        """Take what came; when it is a whole answer, count it and go on until the end of the run."""
        self.buffer += data
        if not whole(self.buffer):
            return
        answer, self.buffer, now = self.buffer, b"", perf_counter()
        self.run.count(self.began, now, answer[9:12].decode(), answer)
        if now >= self.run.end:
            self.transport.close()
            self.finish(ended=True)
        else:
            self.send(answer)

    def connection_lost(self, _: Exception | None) -> None:
        """The server hung up: someone opens another connection."""
        self.finish(ended=False)

    def finish(self, *, ended: bool) -> None:
        """Say that this connection is over."""
        if not self.done.done():
            self.done.set_result(ended)


def whole(data: bytes) -> bool:
    """Whether this is one whole answer (nothing is pipelined)."""
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        return False
    lowered = head.lower()
    if b"transfer-encoding: chunked" in lowered:
        return body.endswith(b"0\r\n\r\n")
    length = lowered.partition(b"content-length:")[2].partition(b"\r")[0]
    return len(body) >= int(length or 0)


def cycling(requests: list[str]) -> Iterator[Next]:
    """Every connection takes the next request of one common round; serials and addresses are filled in."""
    # a start nobody else has, so that two runs on one database never send the same serial
    serials, around = itertools.count(secrets.randbelow(900_000) * 1_000_000), itertools.cycle(requests)

    def following(_: bytes) -> bytes:
        serial = next(serials)
        text = next(around).replace(SERIAL, f"{serial:012d}")
        return text.replace(ADDRESS, client_address(serial)).encode()

    return itertools.repeat(following)


def chains(requests: list[str]) -> Iterator[Next]:
    """Every connection has its own chain: the refresh token of an answer is the next request's."""
    return (_chain(request, client_address(number)) for number, request in enumerate(requests))


def _chain(first: str, address: str) -> Next:
    head, _, body = first.replace(ADDRESS, address).partition("\r\n\r\n")
    token = REFRESH.search(body.encode())
    if token is None:
        raise SystemExit("a chain begins with a refresh token")
    current = token[1]
    plain = re.sub(r"\r\nContent-Length: \d+", "", head).encode()

    def following(answer: bytes) -> bytes:
        nonlocal current
        if (found := REFRESH.search(answer)) is not None:
            current = found[1]
        payload = b'{"refresh_token": "' + current + b'"}'
        return plain + b"\r\nContent-Length: %d\r\n\r\n" % len(payload) + payload

    return following


async def lane(run: Run, port: int, following: Next) -> None:
    """Keep one connection open for the whole run."""
    loop = asyncio.get_running_loop()
    while perf_counter() < run.end:
        try:
            _, connection = await loop.create_connection(lambda: Connection(run, following), "127.0.0.1", port)
        except OSError:
            run.dropped += 1
            await asyncio.sleep(0.05)
            continue
        if not await asyncio.wait_for(connection.done, run.end - perf_counter() + PATIENCE):
            run.dropped += 1


async def announce(run: Run) -> None:
    """Say when the warm-up is over."""
    await asyncio.sleep(run.begin - perf_counter())
    print("begin", flush=True)


async def load(job: dict[str, Any]) -> dict[str, Any]:
    """Do the job."""
    run = Run(job)
    sources = chains(job["requests"]) if job["chained"] else cycling(job["requests"])
    lanes = (
        lane(run, job["port"], following) for _, following in zip(range(job["connections"]), sources, strict=False)
    )
    await asyncio.gather(announce(run), *lanes)
    return run.result()


if __name__ == "__main__":
    print(json.dumps(uvloop.run(load(json.load(sys.stdin)))))
