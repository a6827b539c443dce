"""Where the console begins: one's organizations, and what there is to know about one of them."""

from __future__ import annotations

from typing import Literal

from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.problems import FieldError, Invalid
from tenantry.foundation.text import Name
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork, PersonWork
from tenantry.orgs import actions, exchanges, queries
from tenantry.orgs.console.frame import HOME, at, pages
from tenantry.orgs.models import INVITE_ID
from tenantry.orgs.permissions import ORG_READ

OFFERS = 20
NOTICES = {"declined": "The invite is declined."}


class Orgs(ListQuery):
    """The organizations by name; and what was just done."""

    order: Literal["name"] = "name"
    done: str = ""


class NewOrg(Wire):
    """What the organization shall be called."""

    name: Name


class Answer(Wire):
    """Which invite to oneself to answer, and how."""

    invite: str
    act: Literal["accept", "decline"]


@pages.get("/console", title="Your organizations", template="orgs", requires=ONESELF)
async def orgs_page(call: Call, query: Orgs) -> Values:
    """Show one's organizations, and those one is invited to."""
    async with PersonWork(call, reading=True) as work:
        found, after = await queries.orgs.read(work, query, slug=None)
        plans = await actions.plans_of.ask(work, [org.id for org in found])
    offers, _ = await exchanges.offers_of_oneself(call, query=ListQuery(order="-expires_at", limit=OFFERS))
    return {
        "orgs": [{"org": org, "place": at(HOME, org.id), "plan": plans.get(org.id)} for org in found],
        "offers": [{"offer": one, "id": INVITE_ID.text(one.id)} for one in offers],
        "next": after,
        "notice": NOTICES.get(query.done),
    }


@pages.post("/console", requires=ONESELF)
async def found(work: PersonWork, form: NewOrg) -> SeeOther:
    """Found an organization, and go there."""
    return SeeOther(at(HOME, (await actions.create_org(work, name=form.name, slug=None)).id))


@pages.post("/console/offers", of="/console", requires=ONESELF)
async def answer(call: Call, form: Answer) -> SeeOther:
    """Accept an invite to oneself, and go there; or decline it."""
    invite_id = INVITE_ID.read(form.invite)
    if invite_id is None:
        raise Invalid(errors=(FieldError("form.invite", "is not the id of an invite"),))
    if form.act == "decline":
        await exchanges.decline_invite(call, invite_id=invite_id)
        return SeeOther("/console?done=declined")
    joined = await exchanges.accept_invite(call, invite_id=invite_id)
    return SeeOther(at(HOME, joined.org_id))


@pages.get(HOME, title="Overview", template="overview", requires=ORG_READ, even_closed=True)
async def overview(work: OrgWork) -> Values:
    """Show how the organization stands."""
    org = await queries.org(work, role=work.role)
    return {
        "org": org,
        "id": ORG_ID.text(org.id),
        "members": await queries.members_of_org(work, org_id=org.id),
        "plan": (await actions.plans_of.ask(work, [org.id])).get(org.id),
    }
