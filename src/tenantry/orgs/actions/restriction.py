"""From when on an organization is restricted because it is not paid; whoever learns of payments decides it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import maybe, run
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import SystemWork
from tenantry.orgs.events import OrgRestricted, OrgUnrestricted
from tenantry.orgs.models import Restriction

restriction_for_update = maybe(
    Restriction,
    """
    select restricted_from, version
      from tenantry.orgs
     where id = :org_id
       for no key update
    """,
)

set_restricted = run("""
    update tenantry.orgs
       set restricted_from = :restricted_from, version = version + 1, updated_at = tenantry.now()
     where id = :org_id
""")


@action(requires=HOUSE, records=(OrgRestricted, OrgUnrestricted))
async def restrict_org(work: SystemWork, *, org_id: UUID, restricted_from: datetime | None) -> None:
    """Say from when on the members of an organization change nothing in it; None opens it. Saying it again is nothing.

    Reading, leaving and whatever is declared `even_restricted` stay open. The moment may lie ahead: it comes by itself.
    """
    before = await restriction_for_update(work, org_id=org_id)
    if before is None:
        raise NotFound
    if before.restricted_from == restricted_from:
        return
    await set_restricted(work, org_id=org_id, restricted_from=restricted_from)
    version = before.version + 1
    said = (
        OrgUnrestricted(org_id=org_id, version_after=version)
        if restricted_from is None
        else OrgRestricted(org_id=org_id, restricted_from=restricted_from, version_after=version)
    )
    work.record(said, was={"restricted_from": before.restricted_from})
