"""Metrics: on a listener of their own, or for the bearer of the token; what strangers send makes no new series."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import aiohttp
from raw_http import ask

from tenantry.entrypoints.ops import ops_listener
from tenantry.foundation.domain import Registry
from tenantry.testing import Installation, installed

TOKEN = "a token for the one who scrapes"


def _series(text: str) -> set[str]:
    return {line.rpartition(" ")[0] for line in text.splitlines() if line.startswith("tenantry_http_requests_total")}


async def test_without_a_token_there_are_no_metrics_on_the_main_port(house: Installation) -> None:
    answer = await house.client.get("/metrics", headers={"authorization": "Bearer "})
    assert (answer.status, answer.code) == (404, "not_found")


async def test_the_bearer_of_the_token_reads_them(database_url: str, registry: Registry, tmp_path: Path) -> None:
    async with installed(
        database_url, tmp_path, registry=registry, environ={"TENANTRY_METRICS_TOKEN": TOKEN}
    ) as measured:
        for wrong in (None, "Bearer", "Bearer wrong", f"bearer {TOKEN}x", TOKEN):
            answer = await measured.client.get("/metrics", headers={"authorization": wrong} if wrong else {})
            assert (answer.status, answer.code) == (401, "unauthenticated")
        right = {"authorization": f"Bearer {TOKEN}"}
        answer = await measured.client.get("/metrics", headers=right)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain")
        assert TOKEN not in answer.body.decode()


async def test_requests_are_counted_by_route_and_strangers_make_no_series(
    database_url: str, registry: Registry, tmp_path: Path
) -> None:
    async with installed(
        database_url, tmp_path, registry=registry, environ={"TENANTRY_METRICS_TOKEN": TOKEN}
    ) as measured:
        right = {"authorization": f"Bearer {TOKEN}"}
        for method in (b"GET", b"XONE"):
            await ask(measured.origin, method, b"/stranger/0")
        await measured.client.get("/metrics", headers=right)
        before = _series((await measured.client.get("/metrics", headers=right)).body.decode())
        for number in range(30):
            await ask(measured.origin, b"X%d" % number, b"/stranger/%d" % number, b"Host: 127.0.0.1:%d" % number)
        after = _series((await measured.client.get("/metrics", headers=right)).body.decode())
        assert after == before
        assert not [series for series in after if "stranger" in series or "X1" in series]
        assert any('route="/metrics"' in series for series in after)


async def test_the_counter_counts(house: Installation) -> None:
    def count(text: str) -> float:
        found = re.search(
            r'^tenantry_http_requests_total\{method="GET",route="/livez",status="200"\} (.*)$', text, re.MULTILINE
        )
        return float(found.group(1)) if found else 0.0

    async with _listener() as scrape:
        before = count(await scrape("/metrics"))
        for _ in range(5):
            await house.client.get("/livez")
        assert count(await scrape("/metrics")) == before + 5


async def test_the_listener_answers_metrics_and_nothing_else() -> None:
    async with _listener() as scrape:
        assert "tenantry_http_requests" in await scrape("/metrics")
        for path in ("/", "/metrics/", "/livez", "/metrics?x=1", "/v1/users/me"):
            assert await scrape(path) == "not found\n", path


class _listener:
    """The listener of metrics on a free port, and a way to ask it."""

    async def __aenter__(self):  # type: ignore[no-untyped-def]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._listening = ops_listener(f"127.0.0.1:{port}")
        self._listening.__enter__()
        self._http = aiohttp.ClientSession()

        async def scrape(path: str) -> str:
            async with self._http.get(f"http://127.0.0.1:{port}{path}") as answer:
                return await answer.text()

        return scrape

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        self._listening.__exit__(None, None, None)
