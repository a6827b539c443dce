"""What can have happened to webhook endpoints; an organization's other endpoints are told most of it.

Where an endpoint is and which headers it wants stands in the details; its secrets stand nowhere.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from tenantry.foundation.events.event import Audited, Event
from tenantry.webhooks.models import WhyDisabled


class EndpointCreated(Event, frozen=True):
    """An organization wants to be told what happens at one more place."""

    kind = "webhooks.endpoint_created"
    audited = Audited("webhooks:endpoint:created", target="endpoint_id", shows=("events", "ordered", "payload_version"))
    webhook = "webhook_endpoint.created"
    org_id: UUID
    endpoint_id: UUID
    created_by: UUID
    events: tuple[str, ...]
    ordered: bool
    payload_version: date


class EndpointChanged(Event, frozen=True):
    """An endpoint is another than before; which of it say the `fields`."""

    kind = "webhooks.endpoint_changed"
    audited = Audited(
        "webhooks:endpoint:changed", target="endpoint_id", shows=("fields", "events", "ordered", "payload_version")
    )
    webhook = "webhook_endpoint.changed"
    org_id: UUID
    endpoint_id: UUID
    fields: tuple[str, ...]
    events: tuple[str, ...]
    ordered: bool
    payload_version: date
    version_after: int


class EndpointSecretRotated(Event, frozen=True):
    """An endpoint got a new secret; what is sent is signed with the one before too, until `old_secret_ends_at`."""

    kind = "webhooks.endpoint_secret_rotated"
    audited = Audited("webhooks:endpoint:secret_rotated", target="endpoint_id", shows=("old_secret_ends_at",))
    webhook = "webhook_endpoint.secret_rotated"
    org_id: UUID
    endpoint_id: UUID
    old_secret_ends_at: datetime
    version_after: int


class EndpointDisabled(Event, frozen=True):
    """Nothing is sent to an endpoint any more: somebody asked for that, it said that it is gone, or it only failed."""

    kind = "webhooks.endpoint_disabled"
    audited = Audited("webhooks:endpoint:disabled", target="endpoint_id", shows=("why",))
    webhook = "webhook_endpoint.disabled"
    org_id: UUID
    endpoint_id: UUID
    why: WhyDisabled
    version_after: int


class EndpointEnabled(Event, frozen=True):
    """An endpoint is sent what happens again, and what still waited for it."""

    kind = "webhooks.endpoint_enabled"
    audited = Audited("webhooks:endpoint:enabled", target="endpoint_id")
    webhook = "webhook_endpoint.enabled"
    org_id: UUID
    endpoint_id: UUID
    version_after: int


class EndpointDeleted(Event, frozen=True):
    """An endpoint is no more; what waited for it is never sent."""

    kind = "webhooks.endpoint_deleted"
    audited = Audited("webhooks:endpoint:deleted", target="endpoint_id")
    webhook = "webhook_endpoint.deleted"
    org_id: UUID
    endpoint_id: UUID


class EndpointTested(Event, frozen=True):
    """Somebody asked for a message that says nothing, to one endpoint alone and whatever it wants to be told."""

    kind = "webhooks.endpoint_tested"
    audited = Audited("webhooks:endpoint:tested", target="endpoint_id")
    webhook = "webhook_endpoint.tested"
    org_id: UUID
    endpoint_id: UUID
    tested_by: UUID


class DeliveriesReplayed(Event, frozen=True):
    """Somebody asked for what happened in a span of time to be sent again to an endpoint."""

    kind = "webhooks.deliveries_replayed"
    audited = Audited("webhooks:endpoint:replayed", target="endpoint_id", shows=("starts_at", "ends_at", "which"))
    org_id: UUID
    endpoint_id: UUID
    starts_at: datetime
    ends_at: datetime
    which: str


class DeliveryRetried(Event, frozen=True):
    """Somebody asked for one message to be sent again to an endpoint."""

    kind = "webhooks.delivery_retried"
    audited = Audited("webhooks:delivery:retried", target="endpoint_id", shows=("event_id",))
    org_id: UUID
    endpoint_id: UUID
    event_id: UUID


class EndpointForgotten(Event, frozen=True):
    """All that was left of a deleted endpoint was removed."""

    kind = "webhooks.endpoint_forgotten"
    org_id: UUID
    endpoint_id: UUID
