"""Changing endpoints and doing away with them, as the members of an organization do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run
from tenantry.foundation.events.details import Details
from tenantry.foundation.problems import VersionMismatch
from tenantry.foundation.work import OrgWork
from tenantry.webhooks.actions.ending import begin_again, put_out, quiet_lane
from tenantry.webhooks.actions.making import sealed, today, told_here
from tenantry.webhooks.actions.standing import hold_endpoint, require_enabled, shown
from tenantry.webhooks.events import (
    EndpointChanged,
    EndpointDeleted,
    EndpointDisabled,
    EndpointEnabled,
    EndpointTested,
)
from tenantry.webhooks.inputs import read_headers, read_payload_version, read_types
from tenantry.webhooks.models import Endpoint, EndpointShown, said_of
from tenantry.webhooks.permissions import WEBHOOKS_WRITE

FACTS = ("url", "description", "events", "header_names", "ordered", "payload_version")

set_facts = run("""
    update tenantry.webhook_endpoints
       set url = :url, description = :description, events = :events, header_names = :header_names, ordered = :ordered,
           payload_version = :payload_version, version = version + 1,
           sealed_headers = case when :new_headers then :sealed_headers else sealed_headers end
     where org_id = tenantry.org()
       and id = :id
""")


@action(requires=WEBHOOKS_WRITE, records=(EndpointChanged, EndpointDisabled, EndpointEnabled))
async def change_endpoint(
    work: OrgWork,
    *,
    endpoint_id: UUID,
    version: int | None = None,
    url: str | UnsetType = UNSET,
    events: Sequence[str] | UnsetType = UNSET,
    description: str | UnsetType = UNSET,
    headers: Mapping[str, str] | UnsetType = UNSET,
    ordered: bool | UnsetType = UNSET,
    payload_version: date | UnsetType = UNSET,
    enabled: bool | UnsetType = UNSET,
) -> EndpointShown:
    """Change where an endpoint is, what it is told and how, or whether it is enabled; its URL was vetted before."""
    held = await hold_endpoint(work, work.org, endpoint_id)
    if version not in (None, held.version):
        raise VersionMismatch
    own = headers if headers is UNSET else read_headers(headers)
    after = replace(
        held,
        url=held.url if url is UNSET else url,
        description=held.description if description is UNSET else description,
        events=held.events if events is UNSET else read_types(events, told_here(work.runtime)),
        header_names=held.header_names if own is UNSET else list(own),
        ordered=held.ordered if ordered is UNSET else ordered,
        payload_version=held.payload_version
        if payload_version is UNSET
        else read_payload_version(payload_version, (await today(work)).today),
    )
    await _change(work, held, after, own)
    if enabled is True:
        await begin_again(work, work.org, endpoint_id)
    elif enabled is False:
        await put_out(work, work.org, endpoint_id, "asked")
    return await shown(work, work.org, endpoint_id)


async def _change(work: OrgWork, held: Endpoint, after: Endpoint, headers: Mapping[str, str] | UnsetType) -> None:
    # nobody compares values that nobody reads: headers that are given are new, unless there were and are none
    new_headers = headers is not UNSET and bool(headers or held.header_names)
    fields = tuple(name for name in FACTS if name != "header_names" and getattr(held, name) != getattr(after, name))
    fields += ("headers",) if new_headers else ()
    if not fields:
        return
    facts: dict[str, Any] = {name: getattr(after, name) for name in FACTS}
    own = None if headers is UNSET else sealed(work, held.id, headers)
    await set_facts(work, id=held.id, **facts, new_headers=new_headers, sealed_headers=own)
    work.record(
        EndpointChanged(
            org_id=work.org,
            endpoint_id=held.id,
            fields=fields,
            events=tuple(after.events),
            ordered=after.ordered,
            payload_version=after.payload_version,
            version_after=held.version + 1,
        ),
        was={"events": held.events, "ordered": held.ordered, "payload_version": held.payload_version},
        details=Details(said_of(after.url, after.description, after.header_names)),
    )


set_deleted = run("""
    update tenantry.webhook_endpoints
       set deleted_at = tenantry.now(), sealed_headers = null
     where org_id = tenantry.org()
       and id = :endpoint_id
""")
forget_secrets = run("""
    delete from tenantry.webhook_secrets
     where org_id = tenantry.org()
       and endpoint_id = :endpoint_id
""")


@action(requires=WEBHOOKS_WRITE, records=EndpointDeleted)
async def delete_endpoint(work: OrgWork, *, endpoint_id: UUID) -> None:
    """Do away with an endpoint: nothing is sent to it any more, and a job removes what there is about it."""
    await hold_endpoint(work, work.org, endpoint_id)
    await set_deleted(work, endpoint_id=endpoint_id)
    await forget_secrets(work, endpoint_id=endpoint_id)
    await quiet_lane(work, org_id=work.org, endpoint_id=endpoint_id)
    work.record(EndpointDeleted(org_id=work.org, endpoint_id=endpoint_id))


@action(requires=WEBHOOKS_WRITE, records=EndpointTested)
async def try_endpoint(work: OrgWork, *, endpoint_id: UUID) -> None:
    """Have an endpoint sent a message that says nothing, whatever it wants to be told."""
    await require_enabled(work, work.org, endpoint_id)
    work.record(EndpointTested(org_id=work.org, endpoint_id=endpoint_id, tested_by=work.person))
