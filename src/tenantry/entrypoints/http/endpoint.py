"""Endpoints: one route made callable. Credential, input, Work, handler, commit, answer: the same for every route."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.body import read_body
from tenantry.entrypoints.http.credential import authenticate
from tenantry.entrypoints.http.reply import JSON, Reply, encode, problem_reply
from tenantry.foundation.action import Refusal
from tenantry.foundation.call import Call
from tenantry.foundation.problems import (
    FieldError,
    Invalid,
    Malformed,
    NotFound,
    Unavailable,
)
from tenantry.foundation.routes import Route, Versioned, id_parameters
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.wire import decode, decode_query

DEADLINE = 10.0
"""Seconds to answer a request."""
Endpoint = Callable[[dict[str, Any], Any, Arrival], Awaitable[Reply]]


class TookTooLong(Unavailable):
    """This took longer than it may; it was not done, or its outcome can be read."""

    code = "took_too_long"


def endpoint(route: Route, runtime: Runtime) -> Endpoint:
    """The route as a function of a request that has passed the gate."""

    async def answer(scope: dict[str, Any], receive: Any, arrival: Arrival) -> Reply:
        arrival.route = route.path
        actor = await authenticate(runtime, arrival, required=not route.public)
        arrival.actor = actor.kind
        given = await _input(route, scope, receive, arrival)
        call = Call(runtime, actor, arrival.request_id, arrival.source, arrival.header(b"user-agent") or "")
        try:
            async with asyncio.timeout(DEADLINE):
                return _reply(route, await _perform(route, call, given), arrival)
        except TimeoutError as error:
            raise TookTooLong from error

    return answer


async def _perform(route: Route, call: Call, given: dict[str, Any]) -> Any:
    if route.work is None:
        return await route.handler(call, **given)
    async with route.work(call) as work:
        return await route.handler(work, **given)


async def _input(route: Route, scope: dict[str, Any], receive: Any, arrival: Arrival) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if route.ids:
        ids = id_parameters(route, scope["path_params"])
        if None in ids.values():
            raise NotFound
        given |= ids
    if route.query is not None:
        given["query"] = decode_query(_query(scope["query_string"]), route.query)
    elif scope["query_string"]:
        _refuse_query(scope["query_string"])
    if route.method != "GET":
        body = await read_body(arrival, receive)
        if route.body is not None:
            given["body"] = decode(body, route.body)
        elif body:
            raise Malformed("This operation takes no body.")
    if "if_match" in route.takes:
        given["if_match"] = _if_match(arrival)
    return given


def _query(raw: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=50,
            errors="strict",
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise Malformed("The query string is not well-formed.") from error
    if len(dict(pairs)) != len(pairs):
        raise Malformed("A query parameter is given twice.")
    if any("\0" in text for _, text in pairs):
        raise Invalid(errors=(FieldError("query", "holds a NUL character"),))
    return dict(pairs)


def _refuse_query(raw: bytes) -> None:
    names = tuple(FieldError(f"query.{name[:60]}", "is not known here") for name in _query(raw))
    raise Invalid(errors=names)


def _if_match(arrival: Arrival) -> int | None:
    text = arrival.header(b"if-match")
    if text is None or text == "*":
        return None
    tag = text.removeprefix('"v').removesuffix('"')
    if f'"v{tag}"' != text or not tag.isascii() or not tag.isdigit() or len(tag) > 9:
        raise Malformed("If-Match takes the ETag that was answered.")
    return int(tag)


def _reply(route: Route, answer: Any, arrival: Arrival) -> Reply:
    if isinstance(answer, Refusal):
        arrival.problem = answer.problem
        return problem_reply(answer.problem, arrival.request_id)
    if isinstance(answer, Versioned):
        return _versioned(route, answer, arrival)
    if answer is None:
        return Reply(route.status)
    return Reply(route.status, encode(answer), [JSON])


def _versioned(route: Route, answer: Versioned[msgspec.Struct], arrival: Arrival) -> Reply:
    tag = b'"v%d"' % answer.version
    if route.method == "GET" and arrival.headers.get(b"if-none-match") == tag:
        return Reply(304, b"", [(b"etag", tag)])
    return Reply(route.status, encode(answer.value), [JSON, (b"etag", tag)])
