"""Every answer carries its request id and what keeps a browser from doing harm with it, once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest
from raw_http import RawAnswer, ask

from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Installation, installed

SAFE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
JSON = b"Content-Type: application/json"
REQUESTS: dict[str, tuple[bytes, bytes, bytes, int]] = {
    "a probe": (b"GET", b"/livez", b"", 200),
    "a person": (b"GET", b"/v1/users/me", b"", 200),
    "an accepted request": (b"POST", b"/v1/auth/resend", b'{"email": "a@example.com"}', 202),
    "a refusal of input": (b"POST", b"/v1/auth/login", b"{}", 422),
    "what is no json": (b"POST", b"/v1/auth/login", b"{", 400),
    "nothing there": (b"GET", b"/nothing", b"", 404),
    "a wrong spelling": (b"GET", b"//livez", b"", 404),
    "a wrong method": (b"PUT", b"/livez", b"", 405),
    "too much": (b"POST", b"/v1/auth/login", b"x" * 1_100_000, 413),
    "the document": (b"GET", b"/openapi.json", b"", 200),
    "the page of the document": (b"GET", b"/docs", b"", 200),
    "a script of that page": (b"GET", b"/docs/start.js", b"", 200),
    "the keys": (b"GET", b"/.well-known/jwks.json", b"", 200),
    "the mailbox": (b"GET", b"/dev/mail", b"", 200),
    "signing out": (b"POST", b"/v1/auth/logout", b"{}", 204),
}


def _assert_safe(answer: RawAnswer) -> None:
    for name, text in SAFE.items():
        assert answer.header(name) == text, name
    assert "default-src 'none'" in (answer.header("content-security-policy") or "")
    assert "frame-ancestors 'none'" in (answer.header("content-security-policy") or "")
    assert UUID(answer.header("x-request-id") or "").version == 7
    twice = [name for name, count in Counter(name for name, _ in answer.headers).items() if count > 1]
    assert twice == []


@pytest.mark.parametrize("kind", REQUESTS)
async def test_every_answer_is_safe_and_named(house: Installation, kind: str) -> None:
    method, target, body, status = REQUESTS[kind]
    person = await house.person()
    headers = [b"Authorization: Bearer " + person.tokens["access_token"].encode()]
    if body:
        headers += [JSON, b"Content-Length: %d" % len(body)]
    answer = await ask(house.origin, method, target, *headers, body=body)
    assert answer.status == status
    _assert_safe(answer)


async def test_answers_are_not_kept_by_caches_except_the_public_keys(house: Installation, ada: Client) -> None:
    for path in ("/v1/users/me", "/livez", "/openapi.json", "/nothing", "/dev/mail.json"):
        assert (await ada.get(path)).headers["cache-control"] == "no-store", path
    assert (await house.client.get("/.well-known/jwks.json")).headers["cache-control"] == "public, max-age=600"


async def test_an_unchanged_answer_is_safe_too(house: Installation, ada: Client) -> None:
    bearer = b"Authorization: Bearer " + ada.tokens["access_token"].encode()
    tag = (await ada.get("/v1/users/me")).headers["etag"].encode()
    answer = await ask(house.origin, b"GET", b"/v1/users/me", bearer, b"If-None-Match: " + tag)
    assert answer.status == 304
    _assert_safe(answer)


async def test_request_ids_differ(house: Installation) -> None:
    ids = {(await house.client.get("/livez")).headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


async def test_only_a_house_behind_https_insists_on_it(
    house: Installation, database_url: str, registry: Registry, tmp_path: Path
) -> None:
    assert "strict-transport-security" not in (await house.client.get("/livez")).headers
    secure = {"TENANTRY_PUBLIC_URL": "https://api.example.com"}
    async with installed(database_url, tmp_path, registry=registry, environ=secure) as behind:
        for path in ("/livez", "/nothing"):
            assert "max-age=31536000" in (await behind.client.get(path)).headers["strict-transport-security"]


async def test_no_answer_sets_a_cookie_or_names_a_version(house: Installation, ada: Client) -> None:
    for path in ("/v1/users/me", "/docs", "/nothing", "/openapi.json"):
        headers = (await ada.get(path)).headers
        assert "set-cookie" not in headers
        assert not any(sign.isdigit() for sign in headers.get("server", ""))
        assert "x-powered-by" not in headers
