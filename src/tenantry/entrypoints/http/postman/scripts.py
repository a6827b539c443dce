"""What is run on an answer: is it one that the document knows, and which ids of it are worth keeping."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tenantry.entrypoints.http.postman.operation import Operation, json_of

REF = "#/definitions/"
# words for people, which no answer is measured by
WORDS = {"title", "description", "example", "examples", "default"}
# Postman's validator throws at a format that it does not know
FORMATS = {"date", "date-time", "email", "uri", "uuid"}
NAMED = {"properties", "$defs", "definitions", "patternProperties"}
MEASURED = """
pm.test("the status is one that the document names", () => {
  pm.expect(Object.keys(answers)).to.include(String(pm.response.code));
});
if (answers[pm.response.code]) pm.test("the body is what the document says", () => {
  pm.response.to.have.jsonSchema({ allOf: [answers[pm.response.code]], definitions: shapes });
});"""
KEPT_OF_ONE = """
if (pm.response.code < 300) pm.collectionVariables.set("{name}", pm.response.json().id);"""
KEPT_OF_MANY = """
const one = pm.response.code < 300 && pm.response.json().items[0];
if (one && one.id) pm.collectionVariables.set("{name}", one.id);"""
SIGNED_IN = """
pm.test("somebody is signed in", () => pm.response.to.have.status(200));
if (pm.response.code === 200) {
  pm.collectionVariables.set("token", pm.response.json().access_token);
  pm.collectionVariables.set("user", pm.response.json().user.id);
}"""


def script(operation: Operation) -> list[str]:
    """The lines that measure an operation's answer by the document, and keep the id of what was made."""
    answers, shapes = _answers(operation)
    keeps = KEPT_OF_ONE.replace("{name}", operation.makes) if operation.makes else ""
    keeps += KEPT_OF_MANY.replace("{name}", operation.lists) if operation.lists else ""
    return [f"const answers = {json.dumps(answers)};", f"const shapes = {json.dumps(shapes)};",
            *(MEASURED + keeps).strip().splitlines()]  # fmt: skip


def signing_in() -> list[str]:
    """The lines that keep who has signed in."""
    return SIGNED_IN.strip().splitlines()


def _answers(operation: Operation) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of each status, null where the answer is no JSON, and what those schemas refer to."""
    answers: dict[str, Any] = {}
    for status, answer in operation.said["responses"].items():
        content = json_of(answer.get("content", {}))
        answers[status] = None if content is None else _bare(content["schema"])
    shapes: dict[str, Any] = {}
    waiting = list(_named(answers))
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = _bare(operation.document["components"]["schemas"][name])
            waiting += _named(shapes[name])
    return answers, shapes


def _bare(schema: Any) -> Any:
    """A schema without words, as JSON Schema of draft 7 writes it."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _member(key, part) for key, part in schema.items() if key not in WORDS and _is_known(key, part)}


def _member(key: str, part: Any) -> Any:
    if key in {"const", "enum", "required"}:
        return part
    if key == "$ref":
        return REF + part.rpartition("/")[2]
    return {name: _bare(schema) for name, schema in part.items()} if key in NAMED else _bare(part)


def _is_known(key: str, part: Any) -> bool:
    return key != "format" or part in FORMATS


def _named(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.rpartition("/")[2]
        for part in schema.values():
            yield from _named(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _named(part)
