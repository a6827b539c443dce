"""The gate: one host, one spelling of each path, one method, and who is believed about where a request came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from raw_http import ask, send

from tenantry.entrypoints.http.arrival import Reception
from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Installation, installed
from tenantry.testing.installation import PASSWORD

HOSTS = [
    b"evil.example",
    b"",
    b"127.0.0.1.evil.example",
    b"127.0.0.1@evil.example",
    b"x/../127.0.0.1",
    b"127.0.0.1/admin?",
    b"127.0.0.1:port",
    b"127.0.0.1:123456",
    b"127.0.0.1 ",
    b"[::1",
    b"::1",
    b"localhost.evil.example",
    b"local\xa0host",
    b"127.0.0.1,evil.example",
    b"127.0.0.1#",
    b"*",
]


@pytest.mark.parametrize("host", HOSTS)
async def test_another_host_is_not_answered_to(house: Installation, host: bytes) -> None:
    answer = await ask(house.origin, b"GET", b"/healthz", b"Host: " + host)
    # the server trims the space at the end: then it is the right host
    assert answer.status == (200 if host == b"127.0.0.1 " else 400)
    assert not answer.ours or answer.status == 200 or answer.json["code"] == "bad_host"


async def test_no_host_or_two_are_not_answered_to(house: Installation) -> None:
    missing = await send(house.origin, b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert (missing.status, missing.json["code"]) == (400, "bad_host")
    twice = await ask(house.origin, b"GET", b"/healthz", b"Host: 127.0.0.1", b"Host: evil.example")
    assert (twice.status, twice.json["code"]) == (400, "malformed")


@pytest.mark.parametrize("host", [b"127.0.0.1", b"localhost", b"LOCALHOST:8000", b"[::1]:99"])
async def test_loopback_is_answered_to_in_development(house: Installation, host: bytes) -> None:
    assert (await ask(house.origin, b"GET", b"/healthz", b"Host: " + host)).status == 200


async def test_the_operators_hosts_replace_loopback(database_url: str, registry: Registry, tmp_path: Path) -> None:
    hosts = {"TENANTRY_ALLOWED_HOSTS": "api.example.com, API2.example.com"}
    async with installed(database_url, tmp_path, registry=registry, environ=hosts) as strict:
        for host, status in ((b"api.example.com", 200), (b"api2.example.com:443", 200), (b"127.0.0.1", 400)):
            assert (await ask(strict.origin, b"GET", b"/healthz", b"Host: " + host)).status == status


async def test_whoever_probes_need_not_know_the_name(house: Installation) -> None:
    for probe in (b"/livez", b"/readyz"):
        assert (await ask(house.origin, b"GET", probe, b"Host: 10.1.2.3:8000")).status == 200


@pytest.mark.parametrize(
    "spelling",
    [
        b"//v1/users/me",
        b"/v1//users/me",
        b"/v1/users/me/",
        b"/v1/users/%6de",
        b"/v1/users%2fme",
        b"/v1/users/me%00",
        b"/v1/./users/me",
        b"/v1/x/../users/me",
        b"/V1/users/me",
        b"/v1/users/ME",
        b"/v1/users/me;x=1",
        b"/v1/users/me%20",
        b"/v1/users/me/.",
        b"/v1/users/me%2e",
        b"\\v1\\users\\me",
        b"/v1/users/me\xc2\xa0",
        b"/v2/users/me",
        b"/v1/users/me.json",
        b"*",
    ],
)
async def test_an_operation_has_one_spelling(house: Installation, ada: Client, spelling: bytes) -> None:
    bearer = b"Authorization: Bearer " + ada.tokens["access_token"].encode()
    answer = await ask(house.origin, b"GET", spelling, bearer)
    assert answer.status in {400, 404}
    assert not answer.ours or answer.json["code"] == "not_found"


async def test_every_operation_answers_its_methods_and_no_others(house: Installation, ada: Client) -> None:
    paths: dict[str, set[str]] = {}
    for route in house.registry.routes:
        paths.setdefault(route.path, set()).add(route.method)
    for path in ("/livez", "/readyz", "/healthz", "/openapi.json", "/docs", "/.well-known/jwks.json", "/dev/mail"):
        paths[path] = {"GET"}
    for path, methods in paths.items():
        allowed = methods | ({"HEAD"} if "GET" in methods else set())
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"):
            answer = await ask(house.origin, method.encode(), path.encode(), b"Content-Type: application/json")
            if method in allowed:
                assert answer.status != 405, (method, path)
            else:
                assert answer.status == 405, (method, path, answer)
                assert answer.header("allow") == ", ".join(sorted(allowed))


@pytest.mark.parametrize("override", ["x-http-method-override", "x-method-override", "x-http-method"])
async def test_no_header_makes_another_method_of_it(house: Installation, ada: Client, override: str) -> None:
    answer = await ada.get("/v1/users/me", headers={override: "DELETE"})
    assert (answer.status, answer.json["name"]) == (200, ada.tokens["user"]["name"])
    assert (await ada.post("/v1/users/me", {"name": "Eve"}, headers={override: "PATCH"})).status == 405
    assert (await ada.get("/v1/users/me")).json == ada.tokens["user"]


async def test_head_answers_as_get_without_the_body(house: Installation, ada: Client) -> None:
    bearer = b"Authorization: Bearer " + ada.tokens["access_token"].encode()
    full, head = [await ask(house.origin, method, b"/v1/users/me", bearer) for method in (b"GET", b"HEAD")]
    assert head.status == full.status == 200
    assert head.body == b""
    assert head.header("content-length") == full.header("content-length")
    assert head.header("etag") == full.header("etag")


async def test_a_long_address_is_refused(house: Installation) -> None:
    answer = await ask(house.origin, b"GET", b"/v1/users/me?" + b"a" * 9000)
    assert (answer.status, answer.json["code"]) == (400, "malformed")
    assert 400 <= (await ask(house.origin, b"GET", b"/" + b"a" * 100_000)).status < 500


async def test_headers_beyond_any_measure_are_refused(house: Installation) -> None:
    for headers in ((b"X-Large: " + b"a" * 2_000_000,), [b"X-%d: a" % number for number in range(2000)]):
        assert (await ask(house.origin, b"GET", b"/livez", *headers)).status in {0, 431}
    assert (await house.client.get("/livez")).status == 200


async def test_a_web_socket_is_not_spoken(house: Installation) -> None:
    upgrade = (b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13")
    answer = await ask(house.origin, b"GET", b"/v1/users/me", *upgrade)
    assert 400 <= answer.status < 500


# who is believed


def _arrived(proxies: tuple[str, ...], peer: str, *headers: tuple[bytes, bytes]) -> Any:
    scope = {
        "client": (peer, 1),
        "headers": [(b"host", b"localhost"), *headers],
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "method": "GET",
    }
    return Reception(hosts=("localhost",), proxies=proxies).read(scope)


FORWARDED = b"x-forwarded-for"
ONE, TWO = ("10.0.0.0/8",), ("10.0.0.0/8", "192.168.0.0/16")


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "source"),
    [
        ((), "1.2.3.4", b"6.6.6.6", "1.2.3.4"),
        ((), "10.0.0.1", b"6.6.6.6", "10.0.0.1"),
        (ONE, "1.2.3.4", b"6.6.6.6", "1.2.3.4"),
        (ONE, "10.0.0.1", b"1.2.3.4", "1.2.3.4"),
        (ONE, "10.0.0.1", b"6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (ONE, "10.0.0.1", b"6.6.6.6,1.2.3.4,10.0.0.9", "1.2.3.4"),
        (TWO, "192.168.0.1", b"6.6.6.6, 1.2.3.4, 10.0.0.9", "1.2.3.4"),
        (TWO, "192.168.0.1", b"6.6.6.6, 192.168.7.7, 10.0.0.9", "6.6.6.6"),
        (ONE, "10.0.0.1", b"", "10.0.0.1"),
        (ONE, "10.0.0.1", b"unknown", "10.0.0.1"),
        (ONE, "10.0.0.1", b"6.6.6.6, <script>", "10.0.0.1"),
        (ONE, "10.0.0.1", b"10.0.0.2, 10.0.0.3", "10.0.0.1"),
        (ONE, "10.0.0.1", b"2001:db8::1", "2001:db8::1"),
        (ONE, "10.0.0.1", b"1.2.3.4:5678", "10.0.0.1"),
        (("fd00::/8",), "fd00::1", b"1.2.3.4", "1.2.3.4"),
    ],
)
def test_the_source_is_the_last_hop_that_is_no_proxy_of_ours(
    proxies: tuple[str, ...], peer: str, forwarded: bytes, source: str
) -> None:
    assert _arrived(proxies, peer, (FORWARDED, forwarded)).source == source


def test_a_second_line_of_hops_counts_as_the_continuation_of_the_first() -> None:
    lines = ((FORWARDED, b"6.6.6.6"), (FORWARDED, b"1.2.3.4"))
    assert _arrived(ONE, "10.0.0.1", *lines).source == "1.2.3.4"


def test_a_request_id_is_believed_from_a_proxy_of_ours_alone() -> None:
    given = (b"x-request-id", b"0123456789-abcdef")
    assert _arrived(ONE, "10.0.0.1", given).request_id == "0123456789-abcdef"
    assert _arrived(ONE, "1.2.3.4", given).request_id != "0123456789-abcdef"
    assert _arrived((), "10.0.0.1", given).request_id != "0123456789-abcdef"


@pytest.mark.parametrize(
    "given",
    [b"short", b"x" * 65, b"with space in it", b"new\nline-in-it", b"<script>alert</script>", b"\xff" * 20, b""],
)
def test_a_request_id_that_could_do_harm_is_replaced(given: bytes) -> None:
    assert _arrived(ONE, "10.0.0.1", (b"x-request-id", given)).request_id != given.decode("latin-1")


async def test_a_session_remembers_the_true_source(database_url: str, registry: Registry, tmp_path: Path) -> None:
    proxied = {"TENANTRY_TRUSTED_PROXIES": "127.0.0.0/8, 10.0.0.0/8"}
    async with installed(database_url, tmp_path, registry=registry, environ=proxied) as behind:
        ada = await behind.person()
        login = {"email": ada.email, "password": PASSWORD}
        hops = {"x-forwarded-for": "6.6.6.6, 1.2.3.4, 10.1.1.1", "x-request-id": "from-the-proxy-1"}
        answer = await behind.client.post("/v1/auth/login", login, headers=hops)
        assert answer.headers["x-request-id"] == "from-the-proxy-1"
        sources = [row["source"] for row in await behind.rows("select source from tenantry.sessions order by id")]
        assert sources == ["127.0.0.1", "1.2.3.4"]


async def test_a_forged_source_is_not_remembered(house: Installation, ada: Client) -> None:
    login = {"email": ada.email, "password": PASSWORD}
    forged = {
        "x-forwarded-for": "6.6.6.6",
        "forwarded": "for=6.6.6.6",
        "x-real-ip": "6.6.6.6",
        "x-request-id": "forged-by-me",
    }
    answer = await house.client.post("/v1/auth/login", login, headers=forged)
    assert answer.headers["x-request-id"] != "forged-by-me"
    assert {row["source"] for row in await house.rows("select source from tenantry.sessions")} == {"127.0.0.1"}
