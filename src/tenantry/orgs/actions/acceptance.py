"""Answering an invite, as whom it is for does it: by the link in the mail, or signed in with the invited address.

Whoever accepts holds the organization's row before the invite's, as whoever invites does; so of twenty acceptances at
once one makes a member, and the others find one.
"""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts.problems import LinkInvalid
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import maybe, run, value
from tenantry.foundation.permission import HOUSE, Role
from tenantry.foundation.problems import NotFound
from tenantry.foundation.refusals import OrgClosed, PaymentNeeded
from tenantry.foundation.security.tokens import BadToken
from tenantry.foundation.work import SystemWork, Work
from tenantry.orgs import queries
from tenantry.orgs.actions.belonging import role_of
from tenantry.orgs.actions.invites import hold_org
from tenantry.orgs.actions.members import add_member
from tenantry.orgs.events import InviteAccepted, InviteDeclined
from tenantry.orgs.models import Claim, Joined, Offer, Openness, masked, may_govern
from tenantry.orgs.permissions import MEMBERS_INVITE
from tenantry.orgs.problems import InviteForAnother, InviteVoid

PURPOSE = "invite"
UNPAID = "This organization takes nobody in until it is paid; tell whoever invited you, and accept the invite then."

# the person's row first, as at whatever changes how they sign in: their address stays theirs until the commit
address_for_share = value(str, "select email_key from tenantry.users where id = :user_id for share")
enter = run("select tenantry.enter(:user_id, :session_id)")


async def hold_person(work: SystemWork, *, user_id: UUID, session_id: UUID) -> str:
    """The address, as it is compared, of a person whose session is alive, held until the commit."""
    email_key = await address_for_share(work, user_id=user_id)
    # refuses who was signed out, disabled or closed, as it does whoever opens a work of their own
    await enter(work, user_id=user_id, session_id=session_id)
    return email_key or ""


def invite_of_link(work: Work, token: str) -> UUID:
    """Which invite a mailed token is about; whether it is the one that was mailed last, only the row can tell."""
    try:
        return work.runtime.one_time.read(token)
    except BadToken as error:
        raise LinkInvalid from error


generation_of = value(int, "select generation from tenantry.invites where id = :invite_id")


async def offered(work: Work, token: str) -> Offer:
    """What a mailed link offers; LinkInvalid for one that is not the latest of its invite."""
    invite_id = invite_of_link(work, token)
    generation = await generation_of(work, invite_id=invite_id)
    offer = await queries.offer(work, invite_id=invite_id)
    if offer is None or generation is None or not _genuine(work, invite_id, generation, token):
        raise LinkInvalid
    return offer


def _genuine(work: Work, invite_id: UUID, generation: int, token: str) -> bool:
    return work.runtime.one_time.verify(PURPOSE, invite_id, generation, token)


org_of_invite = value(UUID, "select org_id from tenantry.invites where id = :invite_id")

claim_for_update = maybe(
    Claim,
    """
    select id, org_id, email, email_key, role,
           case when status = 'pending' and expires_at <= tenantry.now() then 'expired' else status end as status,
           generation, invited_by, user_id
      from tenantry.invites
     where id = :invite_id
       for update
    """,
    not_null=("status",),
)

role_of_inviter = value(
    str,
    """
    select role
      from tenantry.members
      join tenantry.users on users.id = members.user_id
     where members.org_id = :org_id
       and user_id = :user_id
       and users.disabled_at is null
       and users.closed_at is null
    """,
)

set_accepted = run("""
    update tenantry.invites
       set status = 'accepted', settled_at = tenantry.now(), user_id = :user_id
     where id = :invite_id
""")


@action(requires=HOUSE, records=InviteAccepted)
async def accept_invite(
    work: SystemWork, *, invite_id: UUID, token: str | None, user_id: UUID, email_key: str
) -> Joined:
    """Become a member by an invite to one's own address, if whoever sent it could still give that role."""
    org_id = await org_of_invite(work, invite_id=invite_id)
    if org_id is None:
        raise LinkInvalid if token else NotFound
    held = await hold_org(work, org_id=org_id)
    claim = await _claimed(work, invite_id, token, email_key)
    if claim.status == "accepted" and claim.user_id == user_id:
        return Joined(org_id, await _present_role(work, user_id, org_id))
    if claim.status != "pending":
        raise LinkInvalid
    _refuse_others(claim, email_key)
    # last of these, because it is nobody's business but whom the invite is for
    _refuse_shut(held)
    await _vouched(work, claim)
    await set_accepted(work, invite_id=claim.id, user_id=user_id)
    await add_member(work, org_id=org_id, user_id=user_id, role=claim.role, how="accepted")
    work.record(InviteAccepted(org_id=org_id, invite_id=claim.id, user_id=user_id))
    return Joined(org_id, claim.role)


async def _claimed(work: SystemWork, invite_id: UUID, token: str | None, email_key: str | None) -> Claim:
    """The invite that a genuine link or its own address leads to, held until the commit."""
    claim = await claim_for_update(work, invite_id=invite_id)
    if token is None:
        if claim is None or claim.email_key != email_key:
            raise NotFound
        return claim
    if claim is None or not _genuine(work, claim.id, claim.generation, token):
        raise LinkInvalid
    return claim


def _refuse_others(claim: Claim, email_key: str) -> None:
    if claim.email_key != email_key:
        invited = masked(claim.email)
        raise InviteForAnother(f"This invite is for {invited}; sign in with that address.", invited=invited)


def _refuse_shut(held: Openness | None) -> None:
    if held is None or held.closed:
        raise OrgClosed
    if held.restricted:
        # it is not theirs to pay, and the invite waits
        raise PaymentNeeded(UNPAID)


async def _present_role(work: SystemWork, user_id: UUID, org_id: UUID) -> Role:
    role = await role_of(work, user_id, org_id)
    if role is None:
        # accepted once, and left or removed since: it does not lead in twice
        raise LinkInvalid
    return role


async def _vouched(work: SystemWork, claim: Claim) -> None:
    role = await role_of_inviter(work, org_id=claim.org_id, user_id=claim.invited_by)
    if role not in MEMBERS_INVITE.roles or not may_govern(role, claim.role):
        raise InviteVoid


set_declined = run("""
    update tenantry.invites
       set status = 'declined', settled_at = tenantry.now(), user_id = :user_id
     where id = :invite_id
""")


@action(requires=HOUSE, records=InviteDeclined)
async def decline_invite(
    work: SystemWork, *, invite_id: UUID, token: str | None, user_id: UUID | None, email_key: str | None
) -> None:
    """Say no to an invite: with its link, or as whom it is for; saying so again changes nothing."""
    claim = await _claimed(work, invite_id, token, email_key)
    if claim.status == "declined":
        return
    if claim.status != "pending":
        raise LinkInvalid
    # a link proves the address and not the person: who holds it may be signed in as somebody else
    mine = user_id if claim.email_key == email_key else None
    await set_declined(work, invite_id=claim.id, user_id=mine)
    work.record(InviteDeclined(org_id=claim.org_id, invite_id=claim.id, user_id=mine))


async def invited_address(work: Work, token: str) -> str | None:
    """Which address a mailed token invites, as it is compared; None for one that leads nowhere any more."""
    offer = await offered(work, token)
    return offer.email_key if offer.status == "pending" else None


async def take_in(work: SystemWork, token: str, user_id: UUID, email_key: str) -> None:
    """Let somebody who just signed up with a mailed token in where it invites them."""
    await accept_invite(work, invite_id=invite_of_link(work, token), token=token, user_id=user_id, email_key=email_key)
