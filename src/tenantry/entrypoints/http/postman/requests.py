"""One request of the collection: its address, headers, body and examples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from tenantry.entrypoints.http.postman.operation import PARAMETER, Operation, json_of, operations
from tenantry.entrypoints.http.postman.samples import example, sample

JSON_HEADER = {"key": "Content-Type", "value": "application/json"}
ANEW = {"Idempotency-Key": "{{$guid}}", "If-Match": "*"}
RECEIVER = "url"
"""The member of a body that says where to send to: a variable, because whoever runs this has to have one."""
NOWHERE = {
    "key": "after", "value": "nowhere",
    "description": "A stream has no end that a runner could wait for, so this asks to go on from a place that there "
    "is not, which is refused. Take it away to listen.",
}  # fmt: skip

OPERATOR_TOKEN = "operator_token"  # noqa: S105  (its name)
"""The variable that an operator fills in by hand: the demo has none."""


def item(operation: Operation, lines: list[str], *, name: str = "", body: Any = None) -> dict[str, Any]:
    """A request with what tests its answer, and answers that it can get."""
    request = _request(operation, body)
    return {
        "name": name or operation.said["summary"],
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": lines}}],
        "request": request,
        "response": list(_examples(operation, request)),
    }


def receiver(known: Iterable[Operation]) -> str:
    """Where the document's examples send to."""
    bodies = (example(content, one.document) for one in known if (content := one.body) is not None)
    return next((str(body[RECEIVER]) for body in bodies if isinstance(body, dict) and RECEIVER in body), "")


def _request(operation: Operation, body: Any) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": operation.method,
        "header": list(_headers(operation)),
        "url": _url(operation),
        "description": f"{operation.said['summary']}\n\n`{operation.said['operationId']}`",
    }
    if operation.public:
        request["auth"] = {"type": "noauth"}
    if operation.of_operators:
        request["auth"] = bearer(OPERATOR_TOKEN)
    if (content := operation.body) is not None:
        filled = body or _filled(example(content, operation.document), operation)
        request["header"].append(JSON_HEADER)
        raw = json.dumps(filled, indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    return request


def _filled(body: Any, operation: Operation) -> Any:
    """A body with variables instead of ids that this collection keeps, and of the password of who has signed in."""
    if not isinstance(body, dict):
        return body
    return {name: _variable(name, operation) or value for name, value in body.items()}


def _variable(name: str, operation: Operation) -> str:
    if name == RECEIVER:
        return f"{{{{{RECEIVER}}}}}"
    # the new password too: the demo's person is to be able to sign in again
    if name.endswith("password"):
        return "" if operation.public else "{{password}}"
    kept = {one for path in operation.document["paths"] for one in PARAMETER.findall(path)}
    wanted = name.removesuffix("_id")
    return f"{{{{{wanted}}}}}" if wanted in kept else ""


def _url(operation: Operation) -> dict[str, Any]:
    path = PARAMETER.sub(r"{{\1}}", operation.path)
    query = [NOWHERE] if operation.streams else list(_query(operation))
    asked = "&".join(f"{one['key']}={one['value']}" for one in query if not one.get("disabled"))
    raw = "{{base_url}}" + path + ("?" + asked if asked else "")
    return {"raw": raw, "host": ["{{base_url}}"], "path": path.strip("/").split("/"), "query": query}


def _query(operation: Operation) -> Iterator[dict[str, Any]]:
    for parameter in operation.parameters("query"):
        value = sample(parameter["schema"], operation.document)
        written = value if isinstance(value, str) else json.dumps(value)
        yield {"key": parameter["name"], "value": "" if value is None else written} | _unless_required(parameter)


def bearer(variable: str) -> dict[str, Any]:
    """An access token that a variable of the collection holds."""
    return {"type": "bearer", "bearer": [{"key": "token", "value": f"{{{{{variable}}}}}", "type": "string"}]}


def _headers(operation: Operation) -> Iterator[dict[str, Any]]:
    for parameter in operation.parameters("header"):
        name = parameter["name"]
        known = {} if name == "Idempotency-Key" else _unless_required(parameter)
        value = ANEW.get(name) or parameter.get("example", "")
        yield {"key": name, "value": value, "description": parameter["description"]} | known


def _unless_required(parameter: Mapping[str, Any]) -> dict[str, bool]:
    return {} if parameter["required"] else {"disabled": True}


def _examples(operation: Operation, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An answer of each status that not every operation has."""
    everywhere = set.intersection(*(set(one.said["responses"]) for one in operations(operation.document)))
    for status, answer in operation.said["responses"].items():
        content = json_of(answer.get("content", {}))
        if status not in everywhere and content is not None:
            yield {
                "name": f"{status} {HTTPStatus(int(status)).phrase}",
                "originalRequest": request,
                "code": int(status),
                "status": HTTPStatus(int(status)).phrase,
                "_postman_previewlanguage": "json",
                "header": [{"key": "Content-Type", "value": next(iter(answer["content"]))}],
                "body": json.dumps(example(content, operation.document), indent=2, ensure_ascii=False),
            }
