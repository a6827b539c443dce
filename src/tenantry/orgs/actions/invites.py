"""Inviting, as an organization does it: asking an address to join, asking again, and taking that back.

Every verb that asks holds the organization's row first: asked at the same moment, one address has one invite, and the
cap on how many wait for an answer is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import maybe, one, run
from tenantry.foundation.events.details import Details
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import Role
from tenantry.foundation.problems import NotFound, Problem
from tenantry.foundation.refusals import OrgClosed
from tenantry.foundation.security.turns import spend_turns, spent
from tenantry.foundation.work import OrgWork, Work
from tenantry.orgs.actions.members import may_add_member
from tenantry.orgs.events import InviteResent, InviteRevoked, InviteSent
from tenantry.orgs.inputs import INVITE_MAILS, INVITE_MAILS_OF_ADDRESS, INVITE_MAILS_OF_ORG
from tenantry.orgs.models import INVITE_LIFE, MOST_PENDING, Claim, Invite, Openness, Placed, may_govern
from tenantry.orgs.permissions import MEMBERS_INVITE
from tenantry.orgs.problems import AboveYou, AlreadyMember, InviteSettled, ListedTwice, TooManyInvites

hold_org = maybe(
    Openness,
    """
    select closed_at is not null as closed, coalesce(restricted_from <= tenantry.now(), false) as restricted
      from tenantry.orgs
     where id = :org_id
       for no key update
    """,
    not_null=("closed", "restricted"),
)


async def hold_open_org(work: Work, org_id: UUID) -> None:
    """Keep an organization as it is until the commit, and others from inviting or joining meanwhile."""
    held = await hold_org(work, org_id=org_id)
    if held is None or held.closed:
        raise OrgClosed


class Known(msgspec.Struct, frozen=True):
    """What an organization knows of an address before it invites it; and how many of its invites wait for an answer."""

    member: bool
    waiting: int
    pending_id: UUID | None
    pending_role: Role | None
    pending_lives: bool
    """Whether it can still be accepted, so that there is room for that one already."""


known_of = one(
    Known,
    """
    with pending as (
        select id, role, expires_at > tenantry.now() as lives
          from tenantry.invites
         where org_id = tenantry.org()
           and email_key = :email_key
           and status = 'pending'
           for update
    )
    select exists (select
                     from tenantry.members
                     join tenantry.users on users.id = members.user_id
                    where members.org_id = tenantry.org()
                      and users.email_key = :email_key) as member,
           (select count(*)
              from tenantry.invites
             where org_id = tenantry.org()
               and status = 'pending') as waiting,
           pending.id as pending_id, pending.role as pending_role, coalesce(pending.lives, false) as pending_lives
      from (select) as always
      left join pending on true
    """,
    not_null=("member", "waiting", "pending_lives"),
)

keep_invite = one(
    Invite,
    """
    insert into tenantry.invites (org_id, id, email, email_key, role, muted, invited_by, expires_at)
    values (tenantry.org(), :id, :email, :email_key, :role, :muted, tenantry.person(), tenantry.now() + :life)
 returning id, email, role, status, invited_by, generation, created_at, expires_at
    """,
)

renew_invite = one(
    Invite,
    """
    update tenantry.invites
       set email = :email, role = :role, muted = :muted, invited_by = tenantry.person(), status = 'pending',
           settled_at = null, generation = generation + 1, expires_at = tenantry.now() + :life
     where org_id = tenantry.org()
       and id = :id
 returning id, email, role, status, invited_by, generation, created_at, expires_at
    """,
)


@action(requires=MEMBERS_INVITE, records=InviteSent)
async def invite(work: OrgWork, *, address: MailAddress, role: Role) -> Placed:
    """Ask an address to join in a role; asking again renews the invite that waits, and its link before is dead."""
    _refuse_above(work, role)
    await hold_open_org(work, work.org)
    known = await _no_member(work, address.key)
    if known.pending_role is not None:
        _refuse_above(work, known.pending_role)
    elif known.waiting >= MOST_PENDING:
        raise TooManyInvites
    if not known.pending_lives:
        await may_add_member.ask(work, work.org, 1, "invited")
    muted = await _muted(work, address.key)
    given = {"email": address.typed, "role": role, "muted": muted, "life": INVITE_LIFE}
    if known.pending_id is None:
        placed = Placed(await keep_invite(work, id=new_id(), email_key=address.key, **given), new=True)
    else:
        placed = Placed(await renew_invite(work, id=known.pending_id, **given), new=False)
    work.record(InviteSent(org_id=work.org, **_facts(placed.invite)), details=_asked(address.typed, address.key))
    return placed


def _refuse_above(work: OrgWork, role: Role) -> None:
    if not may_govern(work.role, role):
        raise AboveYou


async def _no_member(work: OrgWork, email_key: str) -> Known:
    known = await known_of(work, email_key=email_key)
    if known.member:
        raise AlreadyMember
    return known


async def _muted(work: OrgWork, email_key: str) -> bool:
    """Count the mail that is to go out; whether it stays in because others write to this address as well."""
    loud = {INVITE_MAILS: f"{work.org}\0{email_key}", INVITE_MAILS_OF_ORG: str(work.org)}
    # the last: its row is other organizations' too, which wait for this commit
    taken = await spend_turns(work, loud | {INVITE_MAILS_OF_ADDRESS: email_key})
    for limit, subject in loud.items():
        if limit not in taken:
            raise await spent(work, limit, subject)
    return INVITE_MAILS_OF_ADDRESS not in taken


def _facts(sent: Invite) -> dict[str, Any]:
    return {
        "invite_id": sent.id,
        "invited_by": sent.invited_by,
        "role": sent.role,
        "generation": sent.generation,
        "expires_at": sent.expires_at,
    }


def _asked(email: str, email_key: str) -> Details:
    """Whom an invite is for: no person yet, as far as the organization knows."""
    return Details({"email": email}, email_key=email_key)


class Wanted(msgspec.Struct, frozen=True):
    """An address to invite, and the role to invite it to."""

    address: MailAddress
    role: Role


@action(requires=MEMBERS_INVITE, records=InviteSent)
async def invite_many(work: OrgWork, *, wanted: Sequence[Wanted]) -> list[Placed | Problem]:
    """Invite many in one commit; one that is refused keeps none of the others from being invited."""
    results: dict[int, Placed | Problem] = {}
    seen: set[str] = set()
    # in one order for everybody: two organizations that count mails to the same addresses do not wait in a ring
    for place, one_wanted in sorted(enumerate(wanted), key=lambda numbered: (numbered[1].address.key, numbered[0])):
        key = one_wanted.address.key
        results[place] = ListedTwice() if key in seen else await _invite_apart(work, one_wanted)
        seen.add(key)
    return [results[place] for place in range(len(wanted))]


async def _invite_apart(work: OrgWork, wanted: Wanted) -> Placed | Problem:
    try:
        async with work.apart():
            return await invite(work, address=wanted.address, role=wanted.role)
    except Problem as problem:
        return problem


invite_for_update = maybe(
    Claim,
    """
    select id, org_id, email, email_key, role, status, generation, invited_by, user_id
      from tenantry.invites
     where org_id = tenantry.org()
       and id = :invite_id
       for update
    """,
)


async def _governed(work: OrgWork, invite_id: UUID) -> Claim:
    """An invite to a role that is not above one's own, held until the commit."""
    claim = await invite_for_update(work, invite_id=invite_id)
    if claim is None:
        raise NotFound
    _refuse_above(work, claim.role)
    return claim


@action(requires=MEMBERS_INVITE, records=InviteResent)
async def resend_invite(work: OrgWork, *, invite_id: UUID) -> Invite:
    """Send an invite once more, with a new link and all its time; whoever does that vouches for it from now on."""
    await hold_open_org(work, work.org)
    claim = await _governed(work, invite_id)
    if claim.status not in {"pending", "expired"}:
        raise InviteSettled
    known = await _no_member(work, claim.email_key)
    if claim.status == "expired" and known.waiting >= MOST_PENDING:
        raise TooManyInvites
    if not known.pending_lives:
        await may_add_member.ask(work, work.org, 1, "invited")
    muted = await _muted(work, claim.email_key)
    sent = await renew_invite(work, id=claim.id, email=claim.email, role=claim.role, muted=muted, life=INVITE_LIFE)
    work.record(InviteResent(org_id=work.org, **_facts(sent)), details=_asked(claim.email, claim.email_key))
    return sent


set_revoked = run("""
    update tenantry.invites
       set status = 'revoked', settled_at = tenantry.now()
     where org_id = tenantry.org()
       and id = :id
""")


@action(requires=MEMBERS_INVITE, records=InviteRevoked)
async def revoke_invite(work: OrgWork, *, invite_id: UUID) -> None:
    """Take an invite back; its link is dead. Whoever accepted it a moment before is a member."""
    claim = await _governed(work, invite_id)
    if claim.status == "revoked":
        return
    if claim.status != "pending":
        raise InviteSettled
    await set_revoked(work, id=claim.id)
    work.record(InviteRevoked(org_id=work.org, invite_id=claim.id, revoked_by=work.person))
