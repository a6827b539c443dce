"""Rotation: another secret for the same endpoint; what is sent is signed with those before it too, for a while."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import one, run, value
from tenantry.foundation.work import OrgWork
from tenantry.webhooks.actions.making import NewSecret, add_secret
from tenantry.webhooks.actions.standing import hold_endpoint, shown
from tenantry.webhooks.events import EndpointSecretRotated
from tenantry.webhooks.models import MOST_SECRETS, OVERLAP
from tenantry.webhooks.permissions import WEBHOOKS_WRITE
from tenantry.webhooks.problems import TooManyEndpointSecrets

# one of a rotation a moment ago keeps its own end, unless this one is sooner
end_secrets = run("""
    update tenantry.webhook_secrets
       set ends_at = tenantry.now() + :overlap::interval
     where org_id = tenantry.org()
       and endpoint_id = :endpoint_id
       and coalesce(ends_at > tenantry.now() + :overlap::interval, true)
""")
forget_ended = run("""
    delete from tenantry.webhook_secrets
     where org_id = tenantry.org()
       and endpoint_id = :endpoint_id
       and ends_at <= tenantry.now()
""")
living_secrets = value(
    int,
    """
    select count(*)
      from tenantry.webhook_secrets
     where org_id = tenantry.org()
       and endpoint_id = :endpoint_id
    """,
)


class _Turned(msgspec.Struct, frozen=True):
    version: int
    old_secret_ends_at: datetime


turn = one(
    _Turned,
    """
    update tenantry.webhook_endpoints
       set version = version + 1
     where org_id = tenantry.org()
       and id = :endpoint_id
 returning version, tenantry.now() + :overlap::interval as old_secret_ends_at
    """,
    not_null=("old_secret_ends_at",),
)


@action(requires=WEBHOOKS_WRITE, records=EndpointSecretRotated)
async def rotate_secret(work: OrgWork, *, endpoint_id: UUID, overlap: timedelta = OVERLAP) -> NewSecret:
    """Give an endpoint another secret, shown this once; the one before signs as well until the overlap is over."""
    await hold_endpoint(work, work.org, endpoint_id)
    await end_secrets(work, endpoint_id=endpoint_id, overlap=overlap)
    await forget_ended(work, endpoint_id=endpoint_id)
    if (await living_secrets(work, endpoint_id=endpoint_id) or 0) >= MOST_SECRETS:
        raise TooManyEndpointSecrets
    secret = await add_secret(work, endpoint_id)
    turned = await turn(work, endpoint_id=endpoint_id, overlap=overlap)
    work.record(
        EndpointSecretRotated(
            org_id=work.org,
            endpoint_id=endpoint_id,
            old_secret_ends_at=turned.old_secret_ends_at,
            version_after=turned.version,
        )
    )
    return NewSecret(await shown(work, work.org, endpoint_id), secret)
