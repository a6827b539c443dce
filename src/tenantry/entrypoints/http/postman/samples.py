"""Sample values that fit a schema, for what the document has no example of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

FORMATS: dict[str, str] = {
    "email": "ada@example.com",
    "idn-email": "ada@example.com",
    "uuid": "2f1c9a52-6a4f-4b0e-9d3c-0a4b1c9e77d1",
    "date-time": "2026-01-02T00:00:00Z",
    "date": "2026-01-02",
    "uri": "https://example.com/",
}
TYPES: dict[str, Any] = {"boolean": False, "null": None}
ID = re.compile(r"\^([a-z]+_)")
DIGITS = "01jd4w2q8nf6v9m3x5c7b1r0kt"
LETTERS = "example"


def example(content: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """The example that the document has of some content; a sample where it has none."""
    if "example" in content:
        return content["example"]
    written = content.get("examples", {})
    return next((one["value"] for one in written.values()), None) if written else sample(content["schema"], document)


def sample(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    """One value that fits: what is written there first, then the first choice, then one by type and format."""
    if "$ref" in schema:
        return sample(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    for key in ("example", "const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema and "properties" not in schema:
            return sample(schema[key][0], document)
    return _by_type(schema, document)


def _by_type(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else next(iter(kinds))
    if kind == "object":
        # only what has to be there: so it ends, whatever refers to whatever
        return {name: sample(schema["properties"][name], document) for name in schema.get("required", ())}
    if kind == "array":
        return [sample(schema["items"], document) for _ in range(schema.get("minItems", 0))]
    if kind in {"integer", "number"}:
        return max(1, schema.get("minimum", 1)) if schema.get("maximum", 1) >= 1 else schema["maximum"]
    return _text(schema) if kind == "string" else TYPES[kind]


def _text(schema: Mapping[str, Any]) -> str:
    if known := FORMATS.get(schema.get("format", "")):
        return known
    if found := ID.match(schema.get("pattern", "")):
        return found.group(1) + DIGITS
    times: int = 1 + schema.get("minLength", 0) // len(LETTERS)
    return (LETTERS * times)[: schema.get("maxLength")]
