"""What endpoints can be told, as JSON Schema: made from the events' own fields, with ids in the form that is sent."""

from __future__ import annotations

from typing import Any

from msgspec.json import schema as described

from tenantry.foundation.data.ids import EVENT_ID, LENGTH, IdKind, kind_of_field
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.told import shape_of

_UUID = {"type": "string", "format": "uuid"}


def schema_of(kind: type[Event], version: int) -> dict[str, Any]:
    """The JSON Schema of what is sent of an event in one version; a receiver meets new fields and lets them be."""
    data, parts = _data(kind, version)
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "id": _text_of(EVENT_ID),
            "type": {"const": kind.webhook},
            "version": {"const": version},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": data,
        },
        "required": ["id", "type", "version", "timestamp", "data"],
    }
    return schema | ({"$defs": parts} if parts else {})


def _data(kind: type[Event], version: int) -> tuple[dict[str, Any], dict[str, Any]]:
    shape = shape_of(kind, version)
    schema = described(shape)
    parts: dict[str, Any] = schema["$defs"]
    own = parts.pop(shape.__name__)
    fields = {name: _field(name, said) for name, said in own["properties"].items()}
    # what is written is written in full, so that a default is sent too
    return {"type": "object", "properties": fields, "required": list(fields)}, parts


def _field(name: str, said: dict[str, Any]) -> dict[str, Any]:
    kind = kind_of_field(name)
    if kind is None:
        return said
    if "anyOf" in said:
        return said | {"anyOf": [_text_of(kind) if one == _UUID else one for one in said["anyOf"]]}
    return _text_of(kind) if said == _UUID else said


def _text_of(kind: IdKind) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{kind.start}[0-9a-z]{{{LENGTH}}}$"}
