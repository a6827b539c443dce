"""Replies: status, headers and bytes, ready to be sent; and problems rendered as `application/problem+json`."""

from __future__ import annotations

from typing import Any

import msgspec

from tenantry.foundation.pages import Download
from tenantry.foundation.problems import Problem
from tenantry.foundation.streams import Streamed

JSON = (b"content-type", b"application/json")
PROBLEM = (b"content-type", b"application/problem+json")
# a proxy that gathers or packs what it passes on would keep it from its reader
STREAM = ((b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no"))
encode = msgspec.json.Encoder().encode


# what a browser may load into an answer of ours: nothing, unless it is a page
NOTHING = b"default-src 'none'; frame-ancestors 'none'"


class Reply(msgspec.Struct):
    """What is about to be sent."""

    status: int
    body: bytes = b""
    headers: list[tuple[bytes, bytes]] = []
    policy: bytes = NOTHING
    caching: bytes = b"no-store"
    referrer: bytes = b"no-referrer"
    streamed: Streamed[Any] | None = None


def json_reply(value: Any, *, caching: bytes = b"no-store") -> Reply:
    """A value as JSON."""
    return Reply(200, encode(value), [JSON], caching=caching)


def file_reply(file: Download) -> Reply:
    """Something to keep as a file; no browser shows it."""
    name = (b"content-disposition", f'attachment; filename="{file.name}"'.encode())
    return Reply(200, file.content, [(b"content-type", file.kind.encode()), name])


def streamed_reply(streamed: Streamed[Any]) -> Reply:
    """The beginning of an answer that goes on."""
    return Reply(200, headers=[*STREAM], caching=b"no-store, no-transform", streamed=streamed)


def problem_reply(problem: Problem, request_id: str) -> Reply:
    """A refusal as a problem document."""
    headers = [(name.encode(), text.encode()) for name, text in problem.headers.items()]
    return Reply(problem.status, encode(problem.document(request_id)), [PROBLEM, *headers])
