"""Messages: an event as endpoints are told it, in the version that had come by the day an endpoint is pinned to."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.foundation.data.ids import EVENT_ID
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.log import Logged
from tenantry.foundation.events.outside import outside
from tenantry.foundation.events.told import payload_in
from tenantry.foundation.events.versions import Unreadable

LARGEST = 256 * 1024
"""Bytes of what an endpoint is told of one event; of a larger one the delivery fails at once."""
_encode = msgspec.json.Encoder().encode


class Told(msgspec.Struct, frozen=True):
    """An event that one endpoint is to be told, in the version of the day that the endpoint is pinned to."""

    org_id: UUID
    endpoint_id: UUID
    payload_version: date
    event: Logged


class Body(msgspec.Struct, frozen=True):
    """What is sent, as the standard for webhooks has it."""

    id: str
    type: str
    version: int
    timestamp: datetime
    data: dict[str, Any]


class Untellable(Exception):
    """An event that an endpoint cannot be told; the sentence says why, to whoever owns the endpoint."""


def is_told(kind: type[Event]) -> bool:
    """Whether webhooks tell events of a kind."""
    return kind.webhook is not None


def body_of(kind: type[Event], logged: Logged, version: int) -> str:
    """What an endpoint is told of an event, in one version of its payload; Untellable where that cannot be done."""
    assert kind.webhook is not None
    if logged.event is None:
        raise Untellable("What was written down of this event cannot be read.")
    try:
        data = outside(payload_in(logged.event, version))
    except Unreadable:
        raise Untellable(f"This event cannot be told in version {version}.") from None
    body = _encode(Body(EVENT_ID.text(logged.public_id), kind.webhook, version, logged.at, data))
    if len(body) > LARGEST:
        raise Untellable(f"This event is larger than the {LARGEST // 1024} KiB that are sent at most.")
    return body.decode()
