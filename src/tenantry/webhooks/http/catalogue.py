"""The catalogue of what webhooks tell: open to anybody, as the plans are, because it says what there is to build on."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from tenantry.foundation.call import Call
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.told import version_on
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.wire import Wire
from tenantry.webhooks.http.shapes import routes
from tenantry.webhooks.models import is_told, schema_of

JOINED = {
    "type": "member.joined",
    "sentence": "A person became a member of an organization.",
    "version": 1,
    "schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": "^evt_[0-9a-z]{26}$"},
            "type": {"const": "member.joined"},
            "version": {"const": 1},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {
                "type": "object",
                "properties": {
                    "org_id": {"type": "string", "pattern": "^org_[0-9a-z]{26}$"},
                    "user_id": {"type": "string", "pattern": "^usr_[0-9a-z]{26}$"},
                    "role": {"enum": ["admin", "member", "owner"]},
                },
                "required": ["org_id", "user_id", "role"],
            },
        },
        "required": ["id", "type", "version", "timestamp", "data"],
    },
}


class CatalogueQuery(Wire):
    """As of which day."""

    payload_version: (
        Annotated[date, Meta(description="As an endpoint that is pinned to this day is told; else as of now.")]
        | UnsetType
    ) = UNSET


class EventTypeView(Wire):
    """A type that endpoints can be told."""

    type: str
    sentence: Annotated[str, Meta(description="What has happened when it is told.")]
    version: int
    schema: Annotated[dict[str, Any], Meta(description="The JSON Schema of the body that is sent.")]


class EventTypeList(Wire):
    """Every type that endpoints can be told, plugins' too, in the order of the alphabet."""

    items: list[EventTypeView]


@routes.get("/webhook-event-types", requires=ANYONE, answer_example={"items": [JOINED]})
async def webhook_event_types(call: Call, query: CatalogueQuery) -> EventTypeList:
    """What endpoints can be told, and what each body says."""
    day = date.max if query.payload_version is UNSET else query.payload_version
    told = sorted(filter(is_told, call.runtime.events.values()), key=lambda kind: str(kind.webhook))
    return EventTypeList(items=[_view(kind, version_on(kind, day)) for kind in told])


def _view(kind: type[Event], version: int) -> EventTypeView:
    sentence = (kind.__doc__ or "").strip().partition("\n")[0]
    return EventTypeView(type=str(kind.webhook), sentence=sentence, version=version, schema=schema_of(kind, version))
