"""Verbs that ask for a host's addresses before they decide: no transaction is open, and no row held, meanwhile."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from msgspec import UNSET

from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.net.egress import AddressRefused
from tenantry.foundation.problems import FieldError, Invalid, NotFound, VersionMismatch
from tenantry.foundation.work import OrgWork
from tenantry.webhooks import actions, queries
from tenantry.webhooks.models import EndpointShown
from tenantry.webhooks.permissions import WEBHOOKS_WRITE


@exchange(requires=WEBHOOKS_WRITE)
async def create_endpoint(call: Call, /, *, url: str, **facts: Any) -> actions.NewSecret:
    """Have the organization told what happens at one more place, if its URL leads where the house may go."""
    org = _org_of(call)
    async with OrgWork(call, org, reading=True, ahead=True) as work:
        work.require(WEBHOOKS_WRITE)
    await _vet(call, url)
    async with OrgWork(call, org) as work:
        return await actions.create_endpoint(work, url=url, **facts)


@exchange(requires=WEBHOOKS_WRITE)
async def change_endpoint(
    call: Call, /, *, endpoint_id: UUID, version: int | None = None, **changes: Any
) -> EndpointShown:
    """Change an endpoint; where it is to be elsewhere, if that URL leads where the house may go."""
    org, url = _org_of(call), changes.get("url", UNSET)
    if url is not UNSET:
        # what is not there, or was changed since, costs nobody a question
        async with OrgWork(call, org, reading=True, ahead=True) as work:
            work.require(WEBHOOKS_WRITE)
            await _there(work, endpoint_id, version)
        await _vet(call, url)
    async with OrgWork(call, org) as work:
        return await actions.change_endpoint(work, endpoint_id=endpoint_id, version=version, **changes)


def _org_of(call: Call) -> UUID:
    if call.actor.org is None:
        raise NotFound
    return call.actor.org


async def _there(work: OrgWork, endpoint_id: UUID, version: int | None) -> None:
    found = await queries.endpoint_if_any(work, org_id=work.org, endpoint_id=endpoint_id)
    if found is None:
        raise NotFound
    if version not in (None, found.version):
        raise VersionMismatch


async def _vet(call: Call, url: str) -> None:
    try:
        await call.runtime.egress.vet(url)
    except AddressRefused as refused:
        raise Invalid(errors=(FieldError("body.url", refused.why),)) from refused
