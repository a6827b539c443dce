"""The console's page of invites: who is asked to join, and what became of it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tenantry.accounts.inputs import EmailText
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.net.address import read_address
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import ROLES, Role, rank
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.orgs import actions, queries
from tenantry.orgs.console.frame import INVITES, at, pages
from tenantry.orgs.models import INVITE_ID, InviteStatus
from tenantry.orgs.permissions import MEMBERS_INVITE

ONE = f"{INVITES}/{{invite}}"
STATES: tuple[InviteStatus, ...] = ("pending", "accepted", "declined", "expired", "revoked")
TONES = {"pending": "wait", "accepted": "good", "declined": "grave"}
NOTICES = {
    "sent": "The invite is on its way.",
    "again": "The invite is sent again, with a new link.",
    "revoked": "The invite is taken back; its link leads nowhere.",
}


class Invites(ListQuery):
    """The newest first; with a status only those that have it; and what was just done."""

    order: Literal["-created_at"] = "-created_at"
    status: InviteStatus | Literal[""] = ""
    done: str = ""


class NewInvite(Wire):
    """Whom to invite, and to which role."""

    email: EmailText
    role: Role


@pages.get(INVITES, title="Invites", template="invites", requires=MEMBERS_INVITE)
async def invites_page(work: OrgWork, query: Invites) -> Values:
    """Show who was invited, and what became of it."""
    found, after = await queries.invites.read(work, query, status=query.status or None)
    return {
        "invites": [{"id": INVITE_ID.text(one.id), "invite": one, "tone": TONES.get(one.status, "")} for one in found],
        "roles": [(role, role) for role in ROLES if rank(role) <= rank(work.role)],
        "states": STATES,
        "status": query.status,
        "next": after,
        "notice": NOTICES.get(query.done),
    }


@pages.post(INVITES, requires=MEMBERS_INVITE)
async def invite(work: OrgWork, form: NewInvite) -> SeeOther:
    """Invite somebody by mail; asking again renews the pending invite."""
    await actions.invite(work, address=read_address(form.email), role=form.role)
    return SeeOther(at(INVITES, work.org, done="sent"))


@pages.post(f"{ONE}/resend", of=INVITES, requires=MEMBERS_INVITE, ids={"invite": INVITE_ID})
async def resend(work: OrgWork, invite: UUID) -> SeeOther:
    """Send an invite again."""
    await actions.resend_invite(work, invite_id=invite)
    return SeeOther(at(INVITES, work.org, done="again"))


@pages.post(f"{ONE}/revocation", of=INVITES, requires=MEMBERS_INVITE, ids={"invite": INVITE_ID}, even_restricted=True)
async def revoke(work: OrgWork, invite: UUID) -> SeeOther:
    """Take an invite back."""
    await actions.revoke_invite(work, invite_id=invite)
    return SeeOther(at(INVITES, work.org, done="revoked"))
