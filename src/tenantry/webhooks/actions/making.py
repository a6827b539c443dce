"""Making endpoints, as many as the plan has room for, each with a secret that is shown this once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import one, run
from tenantry.foundation.events.details import Details
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.sealing import place
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.work import OrgWork
from tenantry.plans import require_room
from tenantry.webhooks.actions.standing import shown
from tenantry.webhooks.events import EndpointCreated
from tenantry.webhooks.inputs import read_headers, read_payload_version, read_types
from tenantry.webhooks.models import ENDPOINT_ID, USUAL_ENDPOINTS, EndpointShown, fresh_secret, said_of, spelled
from tenantry.webhooks.permissions import WEBHOOKS_WRITE

LIMIT = "webhook_endpoints"
"""The limit of a plan that says how many; a plan without it says nothing about that."""


class NewSecret(msgspec.Struct, frozen=True):
    """An endpoint and the secret that it got just now: shown this once."""

    endpoint: EndpointShown
    secret: Secret[str]


class _Day(msgspec.Struct, frozen=True):
    today: date


today = one(_Day, "select (tenantry.now() at time zone 'UTC')::date as today", not_null=("today",))

keep_endpoint = run("""
    insert into tenantry.webhook_endpoints (org_id, id, url, description, events, header_names, sealed_headers, ordered,
                                            payload_version, created_by)
    values (tenantry.org(), :id, :url, :description, :events, :header_names, :sealed_headers, :ordered,
            :payload_version, tenantry.person())
""")
keep_lane = run("insert into tenantry.webhook_lanes (org_id, endpoint_id) values (tenantry.org(), :endpoint_id)")
keep_secret = run("""
    insert into tenantry.webhook_secrets (org_id, endpoint_id, id, sealed_secret)
    values (tenantry.org(), :endpoint_id, :id, :sealed_secret)
""")


@action(requires=WEBHOOKS_WRITE, records=EndpointCreated)
async def create_endpoint(
    work: OrgWork,
    *,
    url: str,
    events: Sequence[str] = (),
    description: str = "",
    headers: Mapping[str, str] | None = None,
    ordered: bool = False,
    payload_version: date | None = None,
) -> NewSecret:
    """Have the organization told what happens at one more place, whose URL was vetted; its secret is shown this once.

    Its own headers are sealed, and nobody is shown their values again.
    """
    own, types = read_headers(headers or {}), read_types(events, told_here(work.runtime))
    pinned = read_payload_version(payload_version, (await today(work)).today)
    await require_room(work, LIMIT, usual=USUAL_ENDPOINTS)
    endpoint_id = ENDPOINT_ID.new()
    await keep_endpoint(
        work, id=endpoint_id, url=url, description=description, events=types, header_names=list(own),
        sealed_headers=sealed(work, endpoint_id, own), ordered=ordered, payload_version=pinned,
    )  # fmt: skip
    await keep_lane(work, endpoint_id=endpoint_id)
    secret = await add_secret(work, endpoint_id)
    work.record(
        EndpointCreated(
            org_id=work.org,
            endpoint_id=endpoint_id,
            created_by=work.person,
            events=tuple(types),
            ordered=ordered,
            payload_version=pinned,
        ),
        details=Details(said_of(url, description, list(own))),
    )
    return NewSecret(await shown(work, work.org, endpoint_id), secret)


def told_here(runtime: Runtime) -> set[str]:
    """Every type that webhooks of this installation tell."""
    return {kind.webhook for kind in runtime.events.values() if kind.webhook is not None}


def sealed(work: OrgWork, endpoint_id: UUID, headers: Mapping[str, str]) -> bytes | None:
    """An endpoint's own headers as they are kept."""
    if not headers:
        return None
    where = place("webhook_endpoints", "sealed_headers", org=work.org, row=endpoint_id)
    return work.runtime.sealer.seal(msgspec.json.encode(headers), aad=where)


async def add_secret(work: OrgWork, endpoint_id: UUID) -> Secret[str]:
    """Give an endpoint one more secret."""
    secret, secret_id = fresh_secret(), ENDPOINT_ID.new()
    where = place("webhook_secrets", "sealed_secret", org=work.org, row=secret_id)
    sealed_secret = work.runtime.sealer.seal(secret, aad=where)
    await keep_secret(work, endpoint_id=endpoint_id, id=secret_id, sealed_secret=sealed_secret)
    return spelled(secret)
