"""Endpoints, deliveries and attempts as rows, and what is true of one alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.data.ids import IdKind

ENDPOINT_ID = IdKind("ep", "endpoint_id")
USUAL_ENDPOINTS = 20
"""Webhook endpoints of an organization whose plan does not say how many it may have."""
MOST_TYPES = 100
"""Types, or beginnings of types, that one webhook endpoint can name."""
MOST_HEADERS = 10
"""Headers of its own that a webhook endpoint is sent, at most."""
LONGEST_HEADER = 1024
"""Characters of the value of such a header."""
MOST_KEPT_DAYS = 92
"""Days for which what was sent to webhook endpoints is kept, whatever plan or settings say."""
WhyDisabled = Literal["asked", "gone", "failing"]
DeliveryState = Literal["pending", "delivered", "failed"]


class Endpoint(msgspec.Struct, frozen=True):
    """Where an organization wants to be told what happens."""

    id: UUID
    url: str
    description: str
    events: list[str]
    header_names: list[str]
    ordered: bool
    payload_version: date
    created_by: UUID
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: WhyDisabled | None
    version: int


class EndpointShown(Endpoint, frozen=True):
    """An endpoint as its organization sees it: how it fares, and until when the secret before signs as well."""

    failing_since: datetime | None
    old_secret_ends_at: datetime | None


class AnyEndpoint(EndpointShown, frozen=True):
    """An endpoint with the organization that it is of, as an operator sees it."""

    org_id: UUID


class Delivery(msgspec.Struct, frozen=True):
    """One message for one endpoint, and what came of it; its id is its event's."""

    id: UUID
    type: str
    version: int
    at: datetime
    queued_at: datetime
    attempts: int
    delivered_at: datetime | None
    failed_at: datetime | None
    next_attempt_at: datetime | None

    @property
    def state(self) -> DeliveryState:
        """How it stands."""
        if self.next_attempt_at is not None:
            return "pending"
        return "delivered" if self.delivered_at is not None else "failed"


class Sent(Delivery, frozen=True):
    """A delivery with the body that is sent; None for what could not be told."""

    body: str | None


class Attempt(msgspec.Struct, frozen=True):
    """One time that something was sent, and what came back."""

    number: int
    at: datetime
    status: int | None
    error: str | None
    took_ms: int
    answer: str


class Addressee(msgspec.Struct, frozen=True):
    """Somebody who is told that an endpoint was disabled, and which."""

    email: str
    org: str
    url: str


def wants(events: Sequence[str], type: str) -> bool:
    """Whether whoever chose these types, or beginnings before `.*`, is told of one; who chose none is told of all."""
    return not events or any(type == one or (one.endswith(".*") and type.startswith(one[:-1])) for one in events)


def said_of(url: str, description: str, header_names: Sequence[str]) -> dict[str, str | None]:
    """Where an endpoint is and what people say of it, as the history keeps it for as long as it may."""
    return {"url": url, "description": description, "header_names": " ".join(header_names)}
