"""Replies: status, headers and bytes, ready to be sent; and problems rendered as `application/problem+json`."""

from __future__ import annotations

from typing import Any

import msgspec

from tenantry.foundation.problems import Problem

JSON = (b"content-type", b"application/json")
PROBLEM = (b"content-type", b"application/problem+json")
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


def json_reply(value: Any, *, caching: bytes = b"no-store") -> Reply:
    """A value as JSON."""
    return Reply(200, encode(value), [JSON], caching=caching)


def problem_reply(problem: Problem, request_id: str) -> Reply:
    """A refusal as a problem document."""
    headers = [(name.encode(), text.encode()) for name, text in problem.headers.items()]
    return Reply(problem.status, encode(problem.document(request_id)), [PROBLEM, *headers])
