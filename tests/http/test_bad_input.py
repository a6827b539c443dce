"""Bad input gets a problem document that names what is wrong, quickly, and leaves nothing behind: for every operation.

The operations are read off the registry, so that a later one is covered by being declared.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from operations import Asking, Both, path_of
from raw_http import ask, send

from tenantry.foundation.routes import Route
from tenantry.testing import Installation

JSON = {"content-type": "application/json"}
MEGABYTE = 1024 * 1024
STRANGE = (5, True, [], {}, 1.5, "\u0001")


def _writing(house: Installation) -> list[Route]:
    return [route for route in house.registry.routes if route.method != "GET"]


def _with_body(house: Installation) -> list[Route]:
    return [route for route in _writing(house) if route.body is not None]


def _nested(opening: bytes, depth: int, closing: bytes) -> bytes:
    return opening * depth + closing * depth


NOT_JSON: dict[str, Callable[[bytes], bytes]] = {
    "no body": lambda _: b"",
    "only space": lambda _: b"  \n ",
    "words": lambda _: b"hello",
    "a form": lambda _: b"email=ada%40example.com&password=x",
    "cut short": lambda good: good[:-1],
    "two documents": lambda good: good + good,
    "a comment": lambda good: b"/* hi */" + good,
    "a trailing comma": lambda good: good[:-1] + b",}",
    "single quotes": lambda good: good.replace(b'"', b"'"),
    "a byte order mark": lambda good: b"\xef\xbb\xbf" + good,
    "another encoding": lambda good: good.decode().encode("utf-16")[2:].replace(b"\0", b"\x01"),
    "latin-1": lambda good: good[:-1] + b', "x": "\xe9"}',
    "a raw surrogate": lambda good: good[:-1] + b', "x": "\xed\xa0\x80"}',
    "an escaped surrogate": lambda good: good[:-1] + rb', "x": "\ud800"}',
    "not a number": lambda good: good[:-1] + b', "x": NaN}',
    "infinity": lambda good: good[:-1] + b', "x": -Infinity}',
    "a raw control character": lambda good: good[:-1] + b', "x": "\x01"}',
    "a duplicate key": lambda good: good[:-1] + b", " + good[1:],
    "a duplicate key, escaped": lambda good: good[:-1] + b", " + good[1:].replace(good[2:3], b"\\u%04x" % good[2], 1),
    "ten thousand arrays": lambda _: _nested(b"[", 10_000, b"]"),
    "ten thousand objects": lambda _: b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "arrays without end": lambda _: b"[" * 10_000,
    "deep inside": lambda good: good[:-1] + b', "x": ' + _nested(b"[", 200, b"]") + b"}",
    "quotes without end": lambda _: b"[" * 65 + b'"' + b'\\"' * 250_000,
    "backslashes without end": lambda _: b"[" * 65 + b'"' + b"\\" * 500_000 + rb"\u0000",
}


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize("kind", NOT_JSON)
async def test_what_is_not_json_is_refused(house: Installation, asking: Asking, kind: str) -> None:
    for route in _with_body(house):
        if kind == "no body" and getattr(route.body, "optional", False):
            continue
        body = NOT_JSON[kind](json.dumps(route.example).encode())
        # told as a NUL or as an unknown field, whichever is seen first
        also = 422 if kind in {"backslashes without end", "a duplicate key far inside"} else 400
        await asking.refused(route, body, 400, also, **JSON)


NOT_THE_SHAPE: dict[str, bytes] = {
    "an array": b"[]",
    "a string": b'"hello"',
    "a number": b"5",
    "null": b"null",
    "a number too large": b'{"x": 1e400}',
    "a number too long": b'{"x": ' + b"9" * 5000 + b"}",
    "an escaped nul": rb'{"x": "a\u0000b"}',
    "an escaped nul in a key": rb'{"a\u0000b": 1}',
}


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize("kind", NOT_THE_SHAPE)
async def test_what_is_json_but_not_an_acceptable_object_is_refused(
    house: Installation, asking: Asking, kind: str
) -> None:
    for route in _with_body(house):
        answer = await asking.refused(route, NOT_THE_SHAPE[kind], 422, **JSON)
        assert answer.json["errors"]


def _wrong_values(kind: Any) -> Iterator[Any]:
    for strange in STRANGE:
        try:
            msgspec.convert(strange, kind)
        except msgspec.ValidationError:
            yield strange


@pytest.mark.usefixtures("nothing_changes")
async def test_every_field_of_a_wrong_type_is_named(house: Installation, asking: Asking) -> None:
    for route in _with_body(house):
        assert route.body is not None
        for field in msgspec.structs.fields(route.body):
            for wrong in _wrong_values(field.type):
                body = json.dumps({**route.example, field.encode_name: wrong}).encode()
                answer = await asking.refused(route, body, 422, **JSON)
                assert f"body.{field.encode_name}" in {error["at"].partition("[")[0] for error in answer.json["errors"]}


@pytest.mark.usefixtures("nothing_changes")
async def test_every_missing_field_is_named_at_once(house: Installation, asking: Asking) -> None:
    for route in _with_body(house):
        assert route.body is not None
        required = {f"body.{field.encode_name}" for field in msgspec.structs.fields(route.body) if field.required}
        if required:
            answer = await asking.refused(route, b"{}", 422, **JSON)
            assert {error["at"] for error in answer.json["errors"]} == required


@pytest.mark.usefixtures("nothing_changes")
async def test_an_unknown_field_is_named(house: Installation, asking: Asking) -> None:
    for route in _with_body(house):
        answer = await asking.refused(route, json.dumps(route.example | {"surprise": 1}).encode(), 422, **JSON)
        assert answer.json["errors"] == [{"at": "body.surprise", "message": "is not known here"}]


@pytest.mark.usefixtures("nothing_changes")
async def test_a_flood_of_unknown_fields_gets_a_short_answer(house: Installation, asking: Asking) -> None:
    flood = json.dumps({f"field{number}": number for number in range(50_000)}).encode()
    for route in _with_body(house):
        await asking.refused(route, flood, 422, **JSON)


@pytest.mark.usefixtures("nothing_changes")
async def test_a_megabyte_of_text_in_any_field_is_refused_and_not_sent_back(
    house: Installation, asking: Asking
) -> None:
    for route in _with_body(house):
        assert route.body is not None
        for field in msgspec.structs.fields(route.body):
            body = json.dumps(route.example | {field.encode_name: "x" * (MEGABYTE - 5000)}).encode()
            await asking.refused(route, body, 422, **JSON)


@pytest.mark.usefixtures("nothing_changes")
async def test_a_nul_in_any_field_is_refused(house: Installation, asking: Asking) -> None:
    for route in _with_body(house):
        for name in route.example:
            for nul in (b"\\u0000", b"\0"):
                body = json.dumps({**route.example, name: "CANARY"}).encode().replace(b"CANARY", b"a" + nul + b"b")
                await asking.refused(route, body, 400, 422, **JSON)


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "application/json; charset=latin-1",
        "application/json, text/plain",
        "text/json",
        "*/*",
        "",
    ],
)
async def test_a_body_of_another_type_is_refused(house: Installation, asking: Asking, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    for route in _with_body(house):
        await asking.refused(route, json.dumps(route.example).encode(), 415, **headers)


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_coded_body_is_refused(house: Installation, asking: Asking, coding: str) -> None:
    for route in _with_body(house):
        await asking.refused(route, json.dumps(route.example).encode(), 415, content_encoding=coding, **JSON)


@pytest.mark.parametrize(
    "spelling", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
)
async def test_json_is_json_in_every_spelling(house: Installation, spelling: str) -> None:
    answer = await house.client.request(
        "POST", "/v1/auth/resend", data=b'{"email": "a@example.com"}', headers={"content-type": spelling}
    )
    assert answer.status == 202


@pytest.mark.usefixtures("nothing_changes")
async def test_a_body_over_a_megabyte_is_refused_by_length_and_by_count(house: Installation, ada: Both) -> None:
    kind = b"Content-Type: application/json"
    chunk = b"%x\r\n" % 65536 + b" " * 65536 + b"\r\n"
    for route in _writing(house):
        target, bearer = path_of(route).encode(), ada.bearer(route)
        by_length = await ask(
            house.origin,
            route.method.encode(),
            target,
            bearer,
            kind,
            b"Content-Length: %d" % (MEGABYTE + 1),
            body=b" " * 9,
        )
        assert (by_length.status, by_length.json["code"]) == (413, "too_large")
        by_count = await ask(
            house.origin, route.method.encode(), target, bearer, kind, b"Transfer-Encoding: chunked", body=chunk * 17
        )
        assert (by_count.status, by_count.json["code"]) == (413, "too_large")


@pytest.mark.usefixtures("nothing_changes")
async def test_a_body_that_is_cut_off_is_never_processed(house: Installation) -> None:
    body = b'{"email": "cut@example.com", "password": "correct horse battery staple", "name": "Cut"}'
    head = b"POST /v1/auth/register HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    await send(house.origin, head + b"Content-Length: %d\r\n\r\n" % (len(body) + 1) + body, hang_up=True)
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body) + body + b"\r\n"
    await send(house.origin, head + chunked, hang_up=True)
    # answered on a connection that was opened later, so that both have been noticed by now
    assert (await house.client.get("/livez")).status == 200
    await asyncio.sleep(0)


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 5, 5\r\n\r\nhello",
        b"Content-Length: 0x5\r\n\r\nhello",
        b"Content-Length : 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloGET /livez HTTP/1.1\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip\r\n\r\nhello",
        b"X-Folded: a\r\n b\r\n\r\n",
    ],
)
async def test_a_request_framed_in_two_ways_gets_one_refusal_and_a_closed_connection(
    house: Installation, framing: bytes
) -> None:
    head = b"POST /v1/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    second = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    answer = await send(house.origin, head + framing + (b"" if b"GET" in framing else second))
    assert 400 <= answer.status < 500
    assert b"alive" not in answer.rest or framing.startswith(b"X-Folded")
