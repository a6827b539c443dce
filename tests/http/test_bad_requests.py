"""Credentials, ids and queries that are none: refused, documented, and never an error of ours."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import msgspec
import pytest
from operations import path_of
from raw_http import ask

from tenantry.foundation.data.ids import IdKind
from tenantry.testing import Client, Installation


def _malformed_credentials() -> Iterator[bytes]:
    """Some five hundred values of Authorization, none of which is one."""
    pieces = [
        b"",
        b" ",
        b"Bearer",
        b"bearer ",
        b"Bearer  ",
        b"Basic dXNlcjpwYXNz",
        b"Bearer\t",
        b"Token",
        b"Bearer Bearer",
        b"Bearer .",
        b"Bearer ..",
        b"Bearer a.b.c",
        b"Bearer a.b",
        b"Bearer a.b.c.d",
        b"Bearer eyJhbGciOiJub25lIn0.e30.",
        b"Bearer null",
        b"Bearer undefined",
        b'Bearer ""',
        b"Bearer {}",
        b"Bearer tnt_x",
        b"Bearer tnr_" + b"A" * 55,
        b"Negotiate",
        b"Digest username=x",
        b"Bearer =",
        b"Bearer %00",
        b"Bearer ../../etc/passwd",
        b"Bearer ' or 1=1",
    ]
    yield from pieces
    yield from (b"Bearer " + bytes([byte]) * 20 for byte in range(256) if byte not in {0, 10, 13})
    yield from (b"Bearer " + b"a" * length for length in (1, 100, 1000, 8 * 1024, 8 * 1024 + 1, 20_000))
    yield from (b"Bearer " + b"." * dots for dots in range(1, 60))
    yield from (b"Bearer eyJ" + bytes([65 + number % 26]) * number + b".e30.c2ln" for number in range(120))
    yield from (bytes([byte]) + b"earer x" for byte in range(33, 127) if byte not in b"Bb")


@pytest.mark.usefixtures("nothing_changes")
async def test_a_malformed_credential_is_refused_and_never_an_error_of_ours(house: Installation) -> None:
    values, seconds = list(_malformed_credentials()), []
    assert len(values) > 500
    for value in values:
        started = time.perf_counter()
        answer = await ask(house.origin, b"GET", b"/v1/users/me", b"Authorization: " + value)
        seconds.append(time.perf_counter() - started)
        assert answer.status in {400, 401}, (value, answer)
        assert not answer.ours or answer.json["request_id"] == answer.header("x-request-id")
        assert answer.ours or answer.status == 400, value
    assert statistics.median(seconds) < 0.1


async def test_two_credentials_are_refused(house: Installation, ada: Client) -> None:
    bearer = b"Authorization: Bearer " + ada.tokens["access_token"].encode()
    answer = await ask(house.origin, b"GET", b"/v1/users/me", bearer, b"authorization: Bearer other")
    assert (answer.status, answer.json["code"]) == (400, "malformed")


async def test_every_guarded_operation_refuses_everybody_without_a_credential(house: Installation) -> None:
    for route in house.registry.routes:
        if not route.public:
            answer = await house.client.request(route.method, path_of(route), data=b"not even json")
            assert (answer.status, answer.code) == (401, "unauthenticated"), route.name


# ids and queries


@pytest.mark.usefixtures("nothing_changes")
async def test_an_unknown_query_parameter_is_refused_by_name(house: Installation, ada: Client) -> None:
    for route in house.registry.routes:
        answer = await ada.request(route.method, path_of(route) + "?surprise=1")
        assert answer.status == 422, route.name
        assert answer.json["errors"] == [{"at": "query.surprise", "message": "is not known here"}]


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    "query",
    ["a", "a=1&a=2", "&", "a=1&&b=2", "=", "%ff=1", "a=%ED%A0%80", "a=%00", "&".join(f"a{n}=1" for n in range(60))],
)
async def test_a_malformed_query_is_refused(house: Installation, ada: Client, query: str) -> None:
    for route in house.registry.routes:
        answer = await ada.request(route.method, f"{path_of(route)}?{query}")
        assert answer.status in {400, 422}, (route.name, answer)
        assert answer.code in {"malformed", "invalid"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "usr_",
        "usr_x",
        "x",
        "8" * 26,
        "usr_" + "8" * 26,
        "usr_" + "z" * 26,
        "USR_" + "0" * 26,
        "usr_" + "0" * 27,
        "usr_" + "0" * 25,
        "usr_" + "l" * 26,
        "usr_" + "٠" * 26,
        "ses_" + "0" * 26,
    ],
)
def test_what_is_not_an_id_is_no_id(text: str) -> None:
    assert IdKind("usr").read(text) is None


async def test_an_id_that_is_none_is_not_found(house: Installation, ada: Client) -> None:
    for route in house.registry.routes:
        for name in route.ids:
            path = path_of(msgspec.structs.replace(route, path=route.path.replace("{" + name + "}", "nonsense")))
            answer = await ada.request(route.method, path)
            assert answer.status in {404, 405}, (route.name, name)
