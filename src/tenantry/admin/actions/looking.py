"""Looking at anybody and at any organization: whatever is shown to an operator leaves a row in the audit log.

What was sought is not written down: it may be personal.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from tenantry.accounts.models import SESSION_IDLE, Account, Device
from tenantry.accounts.queries import account_of_anybody
from tenantry.admin import queries
from tenantry.admin.models.insights import Insights
from tenantry.admin.permissions import LOOK
from tenantry.admin.queries.insights import figures
from tenantry.foundation.action import action
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.problems import NotFound
from tenantry.orgs.models import AnyOrg, Member
from tenantry.orgs.queries import any_org, members_of_any_org

MOST_MEMBERS = 1000
"""Members of an organization that are shown of it, who came first first."""


@action(requires=LOOK)
async def list_people(
    work: OperatorWork, *, query: ListQuery, search: str | None, disabled: bool
) -> tuple[list[Account], str | None]:
    """Look for people by a part of their address or name; with the cursor of those that follow."""
    found, after = await queries.people.read(work, query, search=search, disabled=disabled, idle=SESSION_IDLE)
    work.note("admin:people:listed", after={"shown": len(found)})
    return found, after


@action(requires=LOOK)
async def look_at_person(work: OperatorWork, *, user_id: UUID) -> Account:
    """Look at one person's account."""
    found = await person_found(work, user_id)
    work.note("admin:person:looked_at", target=("user", user_id), after={})
    return found


@action(requires=LOOK)
async def look_at_devices(work: OperatorWork, *, user_id: UUID, query: ListQuery) -> tuple[list[Device], str | None]:
    """Look at the devices that a person is signed in on; with the cursor of those that follow."""
    await person_found(work, user_id)
    found, after = await queries.devices.read(work, query, user_id=user_id, idle=SESSION_IDLE)
    work.note("admin:devices:looked_at", target=("user", user_id), after={"shown": len(found)})
    return found, after


@action(requires=LOOK)
async def list_orgs(work: OperatorWork, *, query: ListQuery, search: str | None) -> tuple[list[AnyOrg], str | None]:
    """Look for organizations by a part of their name or slug; with the cursor of those that follow."""
    found, after = await queries.orgs.read(work, query, search=search)
    work.note("admin:orgs:listed", after={"shown": len(found)})
    return found, after


@action(requires=LOOK)
async def look_at_org(work: OperatorWork, *, org_id: UUID) -> tuple[AnyOrg, list[Member]]:
    """Look at one organization, and at who belongs to it."""
    found = await org_found(work, org_id)
    members = await members_of_any_org(work, org_id=org_id, most=MOST_MEMBERS)
    work.note("admin:org:looked_at", target=("org", org_id), after={})
    return found, members


@action(requires=LOOK)
async def look_at_insights(work: OperatorWork, *, since: date, until: date) -> Insights:
    """Look at how the installation does as a whole, from a day on and before another."""
    found = await figures(work, since, until)
    work.note("admin:insights:looked_at", after={"since": since, "until": until})
    return found


async def person_found(work: OperatorWork, user_id: UUID) -> Account:
    """The account, if there is one."""
    found = await account_of_anybody(work, user_id=user_id, email_key=None, idle=SESSION_IDLE)
    if found is None:
        raise NotFound("There is no such person.")
    return found


async def org_found(work: OperatorWork, org_id: UUID) -> AnyOrg:
    """The organization, if there is one."""
    found = await any_org(work, org_id=org_id, slug=None)
    if found is None:
        raise NotFound("There is no such organization.")
    return found
