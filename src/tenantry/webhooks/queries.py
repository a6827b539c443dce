"""Reads of webhooks: endpoints and what was sent to them; none of them reads a secret or a header's value."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from tenantry.foundation.data.sql import Many, many, maybe, value, values
from tenantry.foundation.listing import Listing
from tenantry.webhooks.models import Addressee, AnyEndpoint, Attempt, Delivery, DeliveryState, EndpointShown, Sent

MOST_SHOWN = 1000
"""Webhook endpoints, or deliveries, that an operator is shown at once."""
MOST_ATTEMPTS = 100
"""Attempts of one delivery that are shown, the newest."""

_ENDPOINT = """
    select id, url, description, events, header_names, ordered, payload_version, created_by, created_at, disabled_at,
           disabled_why, endpoints.version, failing_since,
           (select max(ends_at)
              from tenantry.webhook_secrets as older
             where older.org_id = endpoints.org_id and older.endpoint_id = endpoints.id
               and older.ends_at > tenantry.now()) as old_secret_ends_at"""
_ALIVE = """
      from tenantry.webhook_endpoints as endpoints
      left join tenantry.webhook_lanes as lane on lane.org_id = endpoints.org_id and lane.endpoint_id = endpoints.id
     where deleted_at is null"""

endpoints_newest_first = many(
    EndpointShown,
    f"""{_ENDPOINT}{_ALIVE}
       and endpoints.org_id = :org_id
       and (created_at, id) < (coalesce(:after_key, 'infinity'::timestamptz),
                               coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by created_at desc, id desc
     limit :rows
    """,
)

endpoints = Listing("webhooks.endpoints", {"-created_at": endpoints_newest_first})

endpoint_if_any = maybe(
    EndpointShown,
    f"""{_ENDPOINT}{_ALIVE}
       and endpoints.org_id = :org_id
       and id = :endpoint_id
    """,
)

endpoints_of_anybody = many(
    AnyEndpoint,
    f"""{_ENDPOINT}, endpoints.org_id{_ALIVE}
       and (:org_id::uuid is null or endpoints.org_id = :org_id)
       and (:endpoint_id::uuid is null or id = :endpoint_id)
       and (not :disabled or disabled_at is not null)
     order by created_at desc, id desc
     limit :most
    """,
)

# with those that are deleted it is no more of a limit
live_endpoints = value(
    int, "select count(*) from tenantry.webhook_endpoints where org_id = tenantry.org() and deleted_at is null"
)

_DELIVERY = """
    select delivery.event_id as id, delivery.type, delivery.version, delivery.at, queued_at,
           coalesce(due.attempts, delivery.attempts) as attempts, delivered_at, failed_at,
           due.due_at as next_attempt_at"""
_FROM_ALL = """
      from tenantry.webhook_deliveries as delivery
      left join tenantry.webhook_due as due
        on due.org_id = delivery.org_id and due.endpoint_id = delivery.endpoint_id
       and due.event_id = delivery.event_id"""
# from what waits: far less than all that there ever was
_FROM_PENDING = """
      from tenantry.webhook_due as due
      join tenantry.webhook_deliveries as delivery
        on delivery.org_id = due.org_id and delivery.endpoint_id = due.endpoint_id
       and delivery.event_id = due.event_id and delivery.at = due.at"""


def _deliveries(source: str, where: str, of: str) -> Many[Delivery]:
    return many(
        Delivery,
        f"""{_DELIVERY}{source}
     where {of}.org_id = :org_id
       and {of}.endpoint_id = :endpoint_id
       and {of}.event_id < coalesce(:after_key::uuid, :after_id::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
       and (:type::text is null or delivery.type = :type)
       and (:prefix::text is null or starts_with(delivery.type, :prefix))
       and delivery.at >= coalesce(:since, '-infinity'::timestamptz)
       and delivery.at < coalesce(:until, 'infinity'::timestamptz)
       and {where}
     order by {of}.event_id desc
     limit :rows
        """,
        not_null=("attempts",),
    )


# each by its own index, so that a rare state is not looked for among all others
DELIVERIES: Mapping[DeliveryState | None, Many[Delivery]] = {
    None: _deliveries(_FROM_ALL, "true", "delivery"),
    "pending": _deliveries(_FROM_PENDING, "true", "due"),
    "delivered": _deliveries(_FROM_ALL, "delivery.delivered_at is not null", "delivery"),
    "failed": _deliveries(_FROM_ALL, "delivery.failed_at is not null", "delivery"),
}
deliveries = {
    state: Listing(f"webhooks.deliveries.{state or 'all'}", {"-id": statement})
    for state, statement in DELIVERIES.items()
}


delivery_if_any = maybe(
    Sent,
    f"""{_DELIVERY}, body{_FROM_ALL}
      left join tenantry.webhook_messages as message
        on message.org_id = delivery.org_id and message.event_id = delivery.event_id
       and message.version = delivery.version and message.at = delivery.at
     where delivery.org_id = :org_id
       and delivery.endpoint_id = :endpoint_id
       and delivery.event_id = :event_id
    """,
    not_null=("attempts",),
)

attempts = many(
    Attempt,
    """
    select number, at, status, error, took_ms, answer
      from tenantry.webhook_attempts
     where org_id = :org_id
       and endpoint_id = :endpoint_id
       and event_id = :event_id
     order by number desc, at desc
     limit :most
    """,
)


# those who may look after webhooks; whoever joined first is first
minders = values(
    UUID,
    """
    select members.user_id
      from tenantry.members
      join tenantry.users on users.id = members.user_id
     where org_id = :org_id
       and role = any (:roles::text[])
       and users.closed_at is null
       and users.disabled_at is null
     order by joined_at, members.user_id
     limit :most
    """,
)

# nobody is told of one that is enabled again, or is gone
addressee = maybe(
    Addressee,
    """
    select users.email, orgs.name as org, endpoints.url
      from tenantry.webhook_endpoints as endpoints
      join tenantry.orgs on orgs.id = endpoints.org_id
      join tenantry.members on members.org_id = endpoints.org_id
      join tenantry.users on users.id = members.user_id
     where endpoints.org_id = :org_id
       and endpoints.id = :endpoint_id
       and endpoints.disabled_at is not null
       and endpoints.deleted_at is null
       and members.user_id = :user_id
       and members.role = any (:roles::text[])
       and users.closed_at is null
       and users.disabled_at is null
    """,
)

orgs_after = values(
    UUID,
    """
    select id
      from tenantry.orgs
     where id > :after
     order by id
     limit :most
    """,
)
