"""The pages of organizations: looking for any of them, who belongs to one, and restricting it."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from tenantry.accounts.queries import moment
from tenantry.admin import actions
from tenantry.admin.console.frame import ORGS, Done, pages
from tenantry.admin.permissions import LOOK, RESTRICT
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.pages import SeeOther, Values
from tenantry.orgs.actions import restrict_org

ONE = f"{ORGS}/{{org}}"
NOTICES = {"restricted": "Nothing is changed in it from now on.", "opened": "Its members can change things again."}


class Looking(ListQuery):
    """Which are sought, by a part of the name or slug: the newest first."""

    order: Literal["-created_at"] = "-created_at"
    q: Annotated[str, Meta(max_length=254)] = ""


@pages.get(ORGS, title="Organizations", template="admin_orgs", requires=LOOK)
async def orgs_page(work: OperatorWork, query: Looking) -> Values:
    """Look for organizations by a part of their name or slug."""
    found, after = await actions.list_orgs(work, query=query, search=query.q or None)
    return {"orgs": found, "next": after, "q": query.q}


@pages.get(ONE, title="An organization", template="admin_org", requires=LOOK)
async def org_page(work: OperatorWork, org: UUID, query: Done) -> Values:
    """Show how an organization stands, and who belongs to it."""
    found, members = await actions.look_at_org(work, org_id=org)
    return {
        "org": found,
        "members": members,
        "notice": NOTICES.get(query.done),
        "may_restrict": work.may(RESTRICT),
    }


@pages.post(f"{ONE}/restriction", of=ONE, requires=RESTRICT)
async def restrict(work: OperatorWork, org: UUID) -> SeeOther:
    """Let nothing be changed in an organization from now on."""
    await restrict_org(work, org_id=org, restricted_from=await moment(work))
    return _back(org, "restricted")


@pages.post(f"{ONE}/opening", of=ONE, requires=RESTRICT)
async def open_again(work: OperatorWork, org: UUID) -> SeeOther:
    """Let members change things in an organization again."""
    await restrict_org(work, org_id=org, restricted_from=None)
    return _back(org, "opened")


def _back(org: UUID, done: str) -> SeeOther:
    return SeeOther(f"{ORGS}/{ORG_ID.text(org)}?done={done}")
