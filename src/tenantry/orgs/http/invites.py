"""Invites over HTTP: sent and taken back by an organization, read and answered by whom they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType

from tenantry.accounts.inputs import EmailText, TokenText
from tenantry.accounts.problems import LinkInvalid
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.listing import ListAnswer, ListQuery
from tenantry.foundation.net.address import read_address
from tenantry.foundation.permission import ONESELF, Role
from tenantry.foundation.problems import FieldError, Invalid, NotFound, PlanNeeded, Problem
from tenantry.foundation.refusals import OrgClosed, PaymentNeeded
from tenantry.foundation.routes import Answered
from tenantry.foundation.security.limits import RateLimited
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.orgs import actions, exchanges, queries
from tenantry.orgs.actions import Wanted
from tenantry.orgs.http.shapes import Instant, OrgId, UserId, routes
from tenantry.orgs.models import INVITE_ID, INVITES_AT_ONCE, Invite, InviteStatus, Offer, Placed
from tenantry.orgs.permissions import MEMBERS_INVITE
from tenantry.orgs.problems import (
    AboveYou,
    AlreadyInvited,
    AlreadyMember,
    InviteForAnother,
    InviteSettled,
    InviteVoid,
    TooManyInvites,
    TooManyMembers,
)

InviteId = Annotated[str, Meta(pattern=f"^{INVITE_ID.start}", description="Names an invite.")]
INVITE = {
    "id": "inv_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "email": "bob@example.com",
    "role": "member",
    "status": "pending",
    "invited_by": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "created_at": "2026-01-02T03:04:05Z",
    "expires_at": "2026-01-09T03:04:05Z",
}
OFFER = {
    "id": "inv_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "org": "org_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "org_name": "Acme",
    "role": "member",
    "inviter": "Ada Lovelace",
    "expires_at": "2026-01-09T03:04:05Z",
}
JOINED = {"org": "org_01jd4w2q8nf6v9m3x5c7b1r0kt", "role": "member"}


class NewInvite(Wire):
    """Whom to invite, and to which role; nobody invites to one above their own."""

    email: EmailText
    role: Role


class NewInvites(Wire):
    """Whom to invite, each to a role."""

    invites: Annotated[list[NewInvite], Meta(min_length=1, max_length=INVITES_AT_ONCE)]


class InviteView(Wire):
    """An invite, as the organization sees it; its link is in the mail only."""

    id: InviteId
    email: str
    role: Role
    status: InviteStatus
    invited_by: UserId
    created_at: Instant
    expires_at: Instant


class InviteResult(Wire):
    """What became of one of many: the status and the answer that it would have got alone."""

    email: str
    status: int
    invite: InviteView | None = None
    problem: Annotated[dict[str, Any] | None, Meta(description="A problem document.")] = None


class InviteResults(Wire):
    """What became of each, in the order in which they were asked for."""

    items: list[InviteResult]


class InviteQuery(ListQuery):
    """The newest first; with a status only those that have it."""

    order: Literal["-created_at"] = "-created_at"
    status: InviteStatus | UnsetType = UNSET


class InviteList(ListAnswer):
    """A part of the list of invites."""

    items: list[InviteView]


class OfferQuery(ListQuery):
    """Those that expire last come first."""

    order: Literal["-expires_at"] = "-expires_at"


class OfferView(Wire):
    """An invite, as whom it is for sees it."""

    id: InviteId
    org: OrgId
    org_name: str
    role: Role
    inviter: Annotated[str | None, Meta(description="The name of who sent it.")]
    expires_at: Instant


class OfferList(ListAnswer):
    """A part of the list of invites to oneself."""

    items: list[OfferView]


class Acceptance(Wire):
    """The token of the mailed link; or the id of an invite to one's own address."""

    described: ClassVar[Mapping[str, Any]] = {
        "oneOf": [
            {"required": [given], "properties": {given: {"type": "string"}, other: {"type": "null"}}}
            for given, other in (("token", "invite"), ("invite", "token"))
        ]
    }
    token: TokenText | None = None
    invite: InviteId | None = None


class Membership(Wire):
    """Where one is a member now, and in which role."""

    org: OrgId
    role: Role


@routes.get("/orgs/{org}/invites", requires=MEMBERS_INVITE, answer_example={"items": [INVITE], "next": None})
async def invites(work: OrgWork, query: InviteQuery) -> InviteList:
    """Who was invited, and what became of it."""
    status = None if query.status is UNSET else query.status
    found, after = await queries.invites.read(work, query, status=status)
    return InviteList(items=[invite_view(invite) for invite in found], next=after)


@routes.post(
    "/orgs/{org}/invites",
    requires=MEMBERS_INVITE,
    status=201,
    also={200: INVITE},
    problems=(AboveYou, AlreadyMember, PlanNeeded, TooManyInvites, RateLimited),
    example={"email": "bob@example.com", "role": "member"},
    answer_example=INVITE,
)
async def invite(work: OrgWork, body: NewInvite) -> InviteView | Answered[InviteView]:
    """Ask an address to join, known or not; asking again renews what waits for an answer, and says 200."""
    placed = await actions.invite(work, address=read_address(body.email), role=body.role)
    view = invite_view(placed.invite)
    return view if placed.new else Answered(200, view)


@routes.post(
    "/orgs/{org}/invites/bulk",
    requires=MEMBERS_INVITE,
    example={"invites": [{"email": "bob@example.com", "role": "member"}]},
    answer_example={"items": [{"email": "bob@example.com", "status": 201, "invite": INVITE, "problem": None}]},
)
async def invite_many(work: OrgWork, body: NewInvites) -> InviteResults:
    """Invite many at once; each is answered by itself, and all that were not refused are sent together."""
    read = [_wanted(one, place) for place, one in enumerate(body.invites)]
    placed = iter(await actions.invite_many(work, wanted=[one for one in read if isinstance(one, Wanted)]))
    results = [next(placed) if isinstance(one, Wanted) else one for one in read]
    return InviteResults(items=_results(work, body.invites, results))


def _wanted(invite: NewInvite, place: int) -> Wanted | Problem:
    try:
        return Wanted(read_address(invite.email, at=f"body.invites[{place}].email"), invite.role)
    except Invalid as problem:
        return problem


def _results(work: OrgWork, asked: Sequence[NewInvite], results: Sequence[Placed | Problem]) -> list[InviteResult]:
    request_id = work.call.request_id
    return [
        InviteResult(email=one.email, status=result.status, problem=result.document(request_id))
        if isinstance(result, Problem)
        else InviteResult(email=one.email, status=201 if result.new else 200, invite=invite_view(result.invite))
        for one, result in zip(asked, results, strict=True)
    ]


@routes.delete(
    "/orgs/{org}/invites/{invite}",
    requires=MEMBERS_INVITE,
    ids={"invite": INVITE_ID},
    status=204,
    problems=(AboveYou, InviteSettled),
    even_restricted=True,
)
async def revoke_invite(work: OrgWork, invite: UUID) -> None:
    """Take an invite back; its link is dead."""
    await actions.revoke_invite(work, invite_id=invite)


@routes.post(
    "/orgs/{org}/invites/{invite}/resend",
    requires=MEMBERS_INVITE,
    ids={"invite": INVITE_ID},
    problems=(AboveYou, AlreadyMember, AlreadyInvited, InviteSettled, PlanNeeded, TooManyInvites, RateLimited),
    answer_example=INVITE,
)
async def resend_invite(work: OrgWork, invite: UUID) -> InviteView:
    """Send an invite again, with a new link and all its time, also when it has expired."""
    return invite_view(await actions.resend_invite(work, invite_id=invite))


@routes.get("/invites", requires=ONESELF, answer_example={"items": [OFFER], "next": None})
async def offers(call: Call, query: OfferQuery) -> OfferList:
    """The invites to one's own address that wait for an answer."""
    found, after = await exchanges.offers_of_oneself(call, query=query)
    return OfferList(items=[offer_view(offer) for offer in found], next=after)


@routes.post(
    "/invites/acceptance",
    requires=ONESELF,
    problems=(
        LinkInvalid,
        NotFound,
        InviteForAnother,
        InviteVoid,
        AlreadyMember,
        PlanNeeded,
        TooManyMembers,
        OrgClosed,
        PaymentNeeded,
    ),
    example={"token": "AZOX1vK0c2i0bG9uZw.c2lnbmF0dXJl"},
    answer_example=JOINED,
)
async def accept_invite(call: Call, body: Acceptance) -> Membership:
    """Become a member by an invite to one's own address; accepting it again says the same."""
    if (body.token is None) is (body.invite is None):
        raise Invalid(errors=(FieldError("body", "needs either `token` or `invite`"),))
    invite_id = INVITE_ID.read(body.invite) if body.invite is not None else None
    if body.invite is not None and invite_id is None:
        raise NotFound
    joined = await exchanges.accept_invite(call, token=body.token, invite_id=invite_id)
    return Membership(org=ORG_ID.text(joined.org_id), role=joined.role)


@routes.post(
    "/invites/{invite}/decline", requires=ONESELF, ids={"invite": INVITE_ID}, status=204, problems=(LinkInvalid,)
)
async def decline_invite(call: Call, invite: UUID) -> None:
    """Say no to an invite to one's own address."""
    await exchanges.decline_invite(call, invite_id=invite)


def invite_view(invite: Invite) -> InviteView:
    return InviteView(
        id=INVITE_ID.text(invite.id),
        email=invite.email,
        role=invite.role,
        status=invite.status,
        invited_by=USER_ID.text(invite.invited_by),
        created_at=invite.created_at,
        expires_at=invite.expires_at,
    )


def offer_view(offer: Offer) -> OfferView:
    return OfferView(
        id=INVITE_ID.text(offer.id),
        org=ORG_ID.text(offer.org_id),
        org_name=offer.org,
        role=offer.role,
        inviter=offer.inviter,
        expires_at=offer.expires_at,
    )
