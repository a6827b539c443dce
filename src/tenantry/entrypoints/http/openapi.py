"""The OpenAPI 3.1 document, written from the registry: the same routes that are served, nothing by hand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import msgspec

from tenantry.entrypoints.http.arrival import BadHost
from tenantry.entrypoints.http.cookies import NAME, OF_OPERATORS
from tenantry.entrypoints.http.endpoint import NotByKey, TookTooLong
from tenantry.entrypoints.http.once import AnswerLost, KeyReused, SecretShown
from tenantry.foundation.answers import SameUnderWay
from tenantry.foundation.data.pool import DatabaseBusy, DatabaseUnavailable
from tenantry.foundation.domain import Registry
from tenantry.foundation.listing import LONGEST_CURSOR, BadCursor, ListQuery
from tenantry.foundation.pages import Download
from tenantry.foundation.problems import (
    Forbidden,
    HeadersTooLarge,
    Internal,
    Invalid,
    Malformed,
    MatchNeeded,
    MethodNotAllowed,
    NotFound,
    Problem,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
    every_problem,
)
from tenantry.foundation.refusals import AccountClosed, NoSpace, OrgClosed, Overloaded, PaymentNeeded, SessionEnded
from tenantry.foundation.routes import Route
from tenantry.foundation.security.known_keys import AddressRefused, KeyRefused
from tenantry.foundation.security.limits import RateLimited
from tenantry.settings import Settings

REF = "#/components/schemas/{name}"
PROBLEM = "#/components/schemas/Problem"
LATER = (Unavailable, DatabaseUnavailable, DatabaseBusy, Overloaded, NoSpace, TookTooLong)
EVERY = (Malformed, BadHost, MethodNotAllowed, RateLimited, HeadersTooLarge, Internal, *LATER)
WITH_BODY = (Invalid, TooLarge, UnsupportedMediaType)
REQUEST_ID = {
    "description": "Names this request in our logs and in problem documents.",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9-]{8,64}$"},
}
ETAG = {
    "description": "The version of what was read.",
    "required": True,
    "schema": {"type": "string", "pattern": '^"v[0-9]+-[0-9a-f]{8}"$'},
}
AGAIN = {
    "description": "`true` where this was answered before, under the same idempotency key.",
    "schema": {"const": "true"},
}
BESIDE = {
    401: ("WWW-Authenticate", "How to prove who is calling.", {"type": "string", "pattern": "^Bearer"}),
    405: ("Allow", "The methods that this address answers to.", {"type": "string"}),
    429: ("Retry-After", "Seconds until it makes sense to try again.", {"type": "integer", "minimum": 1}),
    503: ("Retry-After", "Seconds until it makes sense to try again.", {"type": "integer", "minimum": 1}),
}
OF_LIMITS = {
    "RateLimit": "What is left (`r`) of each policy that counted, and in how many seconds there is more (`t`).",
    "RateLimit-Policy": "Those policies: so many turns (`q`) in so many seconds (`w`), the tightest first.",
}
STREAM = (
    "Server-sent events: `id` is where it stands, for `Last-Event-ID`; `event` the kind; `data` an item in one line. "
    "Lines that begin with a colon say that all is well. The last event is called `end`, and its data is "
    '`{"reason": ...}`: the code of the refusal that a request would get from now on, `renew` for a stream that has '
    "lasted long enough, or `stopping`."
)
END = {
    "type": "object",
    "properties": {"reason": {"type": "string"}},
    "required": ["reason"],
    "additionalProperties": False,
}
NO_NUL = r"^[^\x00]*$"
"""What every text in a body or a query obeys; decoding refuses the rest."""
_PARAMETER = re.compile(r"\{(\w+)\}")
BEARER = (
    "An access token, as signing in answers it (a JWT); or an API key, as making one answers it (`tnt_...`), for what "
    "has `x-by-api-key`, in the key's own organization, within its scopes."
)

OPERATOR = "An operator's access token, as `POST /v1/admin/auth/login` answers it; it opens nothing else."
SCHEMES: dict[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": BEARER,
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": NAME,
        "description": "What a browser gets that signs in at `/account/login`; for pages of the same site.",
    },
    "operator": {"type": "http", "scheme": "bearer", "description": OPERATOR},
    "operatorCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": NAME + OF_OPERATORS,
        "description": "What an operator's browser gets; for pages of the same site.",
    },
}


def describe(registry: Registry, settings: Settings) -> dict[str, Any]:
    """The whole document."""
    schemas = _schemas(shape for route in registry.routes for shape in (route.answer, route.other))
    bodies = [route.body for route in registry.routes if route.body is not None]
    schemas |= {name: _without_nul(schema) for name, schema in _schemas(bodies).items()}
    for body in bodies:
        schemas[body.__name__] |= getattr(body, "described", {})
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in registry.routes:
        paths[route.path][route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{settings.product_name} API",
            "version": version("tenantry"),
            "description": "Errors are problem documents (RFC 9457) with a stable `code`.",
        },
        "servers": [{"url": (settings.public_url or "/").rstrip("/") or "/"}],
        "tags": [{"name": domain.name} for domain in registry.domains if domain.routes],
        "paths": dict(paths),
        "components": {
            "schemas": {**schemas, "Problem": _problem_schema(_known_problems(registry))},
            "securitySchemes": SCHEMES,
        },
    }


def _schemas(shapes: Iterable[Any]) -> dict[str, Any]:
    described = (shape for shape in shapes if _is_struct(shape) and shape is not Download)
    return msgspec.json.schema_components(described, ref_template=REF)[1]


def _without_nul(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_nul(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    bare = schema.get("type") == "string" and not {"pattern", "format"} & schema.keys()
    return {name: _without_nul(part) for name, part in schema.items()} | ({"pattern": NO_NUL} if bare else {})


def _is_struct(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, msgspec.Struct)


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.sentence,
        "security": _security(route),
        "x-permission": route.requires.name,
        "x-roles": list(route.requires.roles),
        "x-by-api-key": route.in_org and route.requires.by_key,
        **({"x-operators": list(route.requires.operators)} if route.of_operators else {}),
        "responses": _responses(route),
    }
    if parameters := [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)]:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": not getattr(route.body, "optional", False),
            "content": {"application/json": _content(route.body, route.example)},
        }
    elif "raw" in route.takes:
        content = {"schema": {"type": "object"}} | ({} if route.example is None else {"example": route.example})
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.public:
        return []
    return [{name: []} for name in (("operator", "operatorCookie") if route.of_operators else ("bearer", "cookie"))]


def _ref(shape: Any) -> dict[str, Any]:
    return {"$ref": REF.format(name=shape.__name__)}


def _content(shape: Any, example: Any) -> dict[str, Any]:
    schema = _ref(shape)
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _path_parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in _PARAMETER.findall(route.path):
        kind = route.ids.get(name)
        pattern = {"pattern": f"^{kind.prefix}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"} if kind else {}
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", **pattern}}


def _query_parameters(route: Route) -> Iterable[dict[str, Any]]:
    if route.query is None:
        return
    schema = msgspec.json.schema(route.query)
    described = schema["$defs"][route.query.__name__]
    for name, content in described["properties"].items():
        yield {
            "name": name,
            "in": "query",
            "required": name in described.get("required", ()),
            "schema": _without_nul(content),
        }


def _header_parameters(route: Route) -> Iterable[dict[str, Any]]:
    if "if_match" in route.takes:
        yield {
            "name": "If-Match",
            "in": "header",
            "required": route.needs_match,
            "description": "The `ETag` that was read; another one by now answers 412.",
            "schema": {"anyOf": [{"type": "string", "pattern": '^"v[0-9]{1,9}-[0-9a-f]{8}"$'}, {"const": "*"}]},
            "example": '"v1-5f0c1a2b"',
        }
    if route.heeds_keys:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Asked again under the same key, within a day, this is not done again: the answer is the "
            "same. Another request under it answers 422.",
            "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
            "example": "2f1c9a52-6a4f-4b0e-9d3c-0a4b1c9e77d1",
        }
    if "last_event_id" in route.takes:
        yield {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "description": "The `id` that was heard last; browsers send it by themselves. It goes before `after`.",
            "schema": {"type": "string", "maxLength": LONGEST_CURSOR},
        }
    if route.versioned and route.method == "GET":
        yield {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "description": "The `ETag` that was read; if it still holds, the answer is an empty 304.",
            "schema": {"type": "string"},
            "example": '"v1-5f0c1a2b"',
        }


def _answer(route: Route) -> dict[str, Any]:
    if route.answer is Download:
        return {"text/csv": {"schema": {"type": "string"}}, "application/x-ndjson": {"schema": {"type": "string"}}}
    if not route.streamed:
        return {"application/json": _content(route.answer, route.answer_example)}
    data = {"contentMediaType": "application/json", "contentSchema": {"anyOf": [_ref(route.answer), END]}}
    text = {"type": "string"}
    # how each message of a stream looks
    message = {"type": "object", "properties": {"id": text, "event": text, "data": text | data}}
    return {"text/event-stream": {"schema": message | {"description": STREAM, "required": ["event", "data"]}}}


def _responses(route: Route) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Request-ID": REQUEST_ID}
    if route.versioned:
        headers["ETag"] = ETAG
    if route.heeds_keys:
        headers["Idempotency-Replayed"] = AGAIN
    good: dict[str, Any] = {"description": "Done.", "headers": headers}
    if _is_struct(route.answer):
        good["content"] = _answer(route)
    responses = {str(route.status): good}
    for status, example in route.also.items():
        content = {"application/json": _content(route.other, example)}
        responses[str(status)] = {"description": "Done.", "headers": headers, "content": content}
    if route.versioned and route.method == "GET":
        responses["304"] = {"description": "Not changed since the version in If-None-Match.", "headers": headers}
    by_status: dict[int, list[type[Problem]]] = defaultdict(list)
    for problem in dict.fromkeys(_problems(route)):
        by_status[problem.status].append(problem)
    return responses | {str(status): _refusal(kinds) for status, kinds in sorted(by_status.items())}


def _problems(route: Route) -> Iterable[type[Problem]]:
    yield from route.problems
    if route.query is not None and issubclass(route.query, ListQuery):
        yield BadCursor
    yield from EVERY
    if route.body is not None or route.query is not None:
        yield from WITH_BODY
    else:
        yield Invalid
        if route.method != "GET":
            yield from WITH_BODY
    yield from _of_callers(route)
    if route.needs_match:
        yield MatchNeeded
    if route.heeds_keys:
        yield from (SameUnderWay, KeyReused, AnswerLost, *([SecretShown] if route.shows_secret else ()))
    if route.ids:
        yield NotFound


def _of_callers(route: Route) -> Iterable[type[Problem]]:
    """What is refused because of who asks, and where."""
    if route.public:
        if any(issubclass(problem, Unauthenticated) for problem in route.problems):
            yield from (Unauthenticated, SessionEnded)
        return
    yield from (Unauthenticated, SessionEnded, Forbidden)
    yield from (KeyRefused, AddressRefused) if route.in_org and route.requires.by_key else (NotByKey,)
    if (not route.even_closed or route.in_org) and not route.of_operators:
        yield AccountClosed
    if route.in_org and not route.even_closed:
        yield OrgClosed
    if route.in_org and not route.reads and not route.even_restricted:
        yield PaymentNeeded


def _refusal(kinds: list[type[Problem]]) -> dict[str, Any]:
    examples = {
        kind.code: {"summary": kind.sentence(), "value": kind.sample().document("0199d2e8-req")} for kind in kinds
    }
    headers: dict[str, Any] = {"X-Request-ID": REQUEST_ID}
    if beside := BESIDE.get(kinds[0].status):
        name, description, schema = beside
        headers[name] = {"description": description, "required": True, "schema": schema}
    if RateLimited in kinds:
        headers |= {name: {"description": words, "schema": {"type": "string"}} for name, words in OF_LIMITS.items()}
    return {
        "description": " ".join(dict.fromkeys(kind.sentence() for kind in kinds)),
        "headers": headers,
        "content": {"application/problem+json": {"schema": {"$ref": PROBLEM}, "examples": examples}},
    }


def _known_problems(registry: Registry) -> set[type[Problem]]:
    """What the domains declare, and what the house itself refuses with, on whichever page."""
    return {*registry.problems, *(kind for kind in every_problem() if kind.__module__.startswith("tenantry."))}


def _problem_schema(problems: Iterable[type[Problem]]) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "title": "Problem",
        "description": "A refusal (RFC 9457). `code` is stable; some kinds have members of their own.",
        "type": "object",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "code": {"type": "string", "examples": sorted(problem.code for problem in problems)},
            "detail": text,
            "request_id": text,
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["at", "message"],
                    "properties": {"at": text, "message": text},
                },
            },
        },
    }
