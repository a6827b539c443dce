"""The collection as a whole: its variables, its folders, and the order in which things are asked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tenantry.entrypoints.http.postman.operation import PARAMETER, Operation, operations
from tenantry.entrypoints.http.postman.requests import OPERATOR_TOKEN, RECEIVER, bearer, item, receiver
from tenantry.entrypoints.http.postman.samples import sample
from tenantry.entrypoints.http.postman.scripts import script, signing_in

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
NEARBY = "http://127.0.0.1:8000"
"""Where `bin/dev` answers, for a document that names no server."""
# as `tenantry seed` makes them, in development only
DEMO = {"email": "demo@example.com", "password": "a demo is not a secret"}
SIGN_IN, FOUND = ("POST", "/v1/auth/login"), ("POST", "/v1/orgs")
ABOUT = (
    "Made of the OpenAPI document by `tenantry openapi --postman`. Run the folder First once: it signs in, makes an "
    "organization and keeps what the rest needs. Whatever is made keeps its id, and is asked about after that. What is "
    "for operators takes an `operator_token`, which signing in as one answers."
)
_ENDS = re.compile(r"/(closure|logout|sessions/\{\w+\})$")


def collection(document: Mapping[str, Any]) -> dict[str, Any]:
    """The collection that asks every operation of a document once, after signing in."""
    known = list(operations(document))
    return {
        "info": {"name": document["info"]["title"], "description": ABOUT, "schema": SCHEMA},
        "auth": bearer("token"),
        "variable": [
            {"key": key, "value": value, "type": "string"} for key, value in _variables(document, known).items()
        ],
        "item": [_first(known), *_folders(document, known)],
    }


def _variables(document: Mapping[str, Any], known: list[Operation]) -> dict[str, str]:
    origin = document["servers"][0]["url"]
    ids = {
        parameter["name"]: sample(parameter["schema"], document)
        for operation in known
        for parameter in operation.parameters("path")
    }
    return {
        "base_url": NEARBY if origin == "/" else origin,
        "token": "",
        OPERATOR_TOKEN: "",
        **DEMO,
        **ids,
        RECEIVER: receiver(known),
    }


def _first(known: list[Operation]) -> dict[str, Any]:
    """What signs in and makes an organization, so that the rest has something to ask about."""
    by_place = {(operation.method, operation.path): operation for operation in known}
    signs, founds = by_place[SIGN_IN], by_place[FOUND]
    filled = {name: f"{{{{{name}}}}}" for name in DEMO}
    return {
        "name": "First",
        "item": [
            item(signs, [*script(signs), *signing_in()], name="Sign in as the demo's person", body=filled),
            item(founds, script(founds), name="Make an organization"),
        ],
    }


def _folders(document: Mapping[str, Any], known: list[Operation]) -> Iterator[dict[str, Any]]:
    """A folder for each tag; from the highest to the lowest, because what stands above asks about what is below."""
    for tag in reversed(document["tags"]):
        inside = sorted((operation for operation in known if operation.tag == tag["name"]), key=_turn)
        yield {"name": tag["name"], "item": [item(operation, script(operation)) for operation in inside]}


def _turn(operation: Operation) -> tuple[int, int]:
    """When it is asked: what makes something, what reads, what changes, what takes away, and what ends everything."""
    if _ENDS.search(operation.path):
        return 4 + operation.path.endswith("}") + 2 * operation.path.endswith("logout"), operation.method != "POST"
    depth = len(PARAMETER.findall(operation.path))
    if operation.makes:
        return 0, depth
    return {"GET": (1, 0), "DELETE": (3, -depth)}.get(operation.method, (2, 0))
