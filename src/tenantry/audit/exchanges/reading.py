"""Reading the audit log: that it was read is remembered, once a minute for each who reads."""

from __future__ import annotations

from tenantry.audit import queries
from tenantry.audit.models import Entry, Filters
from tenantry.audit.permissions import AUDIT_READ
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.denials import Doing, remember
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import OrgWork

READ = "audit:log:read"


@exchange(requires=AUDIT_READ)
async def read_log(call: Call, *, query: ListQuery, filters: Filters) -> tuple[list[Entry], str | None]:
    """A page of the organization's log, newest first, and the cursor of the next."""
    org = call.actor.org
    if org is None:
        raise NotFound
    async with OrgWork(call, org, reading=True) as work:
        work.require(AUDIT_READ)
        found = await queries.entries.read(work, query, **filters.given())
    await remember(call, Doing(READ, "done", org, ("org", org)))
    return found
