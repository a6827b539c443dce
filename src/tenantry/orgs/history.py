"""What an organization's tables were at any instant: which event changes which row, and which columns do not come back.

The one list of what is not folded is here, with each fold. What is added to a table is folded or named; a test compares
with the database's catalogue.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.events.folding import Fold, Rows, Said
from tenantry.foundation.permission import Role
from tenantry.orgs.events import (
    InviteAccepted,
    InviteDeclined,
    InviteExpired,
    InviteForgotten,
    InviteResent,
    InviteRevoked,
    InviteSent,
    MemberJoined,
    MemberLeft,
    MemberRoleChanged,
    OrgChanged,
    OrgClosed,
    OrgCreated,
    OrgReopened,
    OrgRestricted,
    OrgUnrestricted,
)
from tenantry.orgs.models import INVITE_ID, InviteStatus

OF_THE_ORG = "whose history is folded"


class OrgThen(msgspec.Struct, frozen=True):
    """An organization as it was."""

    id: UUID
    name: str
    slug: str
    version: int
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    purge_at: datetime | None
    restricted_from: datetime | None


orgs = Fold(
    "orgs",
    OrgThen,
    ids={"id": ORG_ID},
    left_out={"purge_began_at": "from then on the history itself is being forgotten"},
)


@orgs.on(OrgCreated)
def _founded(rows: Rows[OrgThen], said: Said[OrgCreated]) -> None:
    one = said.event
    rows[one.org_id] = OrgThen(one.org_id, one.name, one.slug, 1, said.at, said.at, None, None, None)


@orgs.on(OrgChanged)
def _renamed(rows: Rows[OrgThen], said: Said[OrgChanged]) -> None:
    one = said.event
    rows[one.org_id] = replace(
        rows[one.org_id], name=one.name, slug=one.slug, version=one.version_after, updated_at=said.at
    )


@orgs.on(OrgClosed)
def _closed(rows: Rows[OrgThen], said: Said[OrgClosed]) -> None:
    one = said.event
    rows[one.org_id] = replace(
        rows[one.org_id], closed_at=said.at, purge_at=one.purge_at, version=one.version_after, updated_at=said.at
    )


@orgs.on(OrgReopened)
def _opened(rows: Rows[OrgThen], said: Said[OrgReopened]) -> None:
    one = said.event
    rows[one.org_id] = replace(
        rows[one.org_id], closed_at=None, purge_at=None, version=one.version_after, updated_at=said.at
    )


@orgs.on(OrgRestricted)
def _restricted(rows: Rows[OrgThen], said: Said[OrgRestricted]) -> None:
    one = said.event
    rows[one.org_id] = replace(
        rows[one.org_id], restricted_from=one.restricted_from, version=one.version_after, updated_at=said.at
    )


@orgs.on(OrgUnrestricted)
def _paid(rows: Rows[OrgThen], said: Said[OrgUnrestricted]) -> None:
    one = said.event
    rows[one.org_id] = replace(rows[one.org_id], restricted_from=None, version=one.version_after, updated_at=said.at)


class SlugThen(msgspec.Struct, frozen=True):
    """A slug that led to the organization."""

    slug: str
    taken_at: datetime


slugs = Fold("org_slugs", SlugThen, ids={}, left_out={"org_id": OF_THE_ORG})


@slugs.on(OrgCreated)
def _first_slug(rows: Rows[SlugThen], said: Said[OrgCreated]) -> None:
    rows[said.event.slug] = SlugThen(said.event.slug, said.at)


@slugs.on(OrgChanged)
def _next_slug(rows: Rows[SlugThen], said: Said[OrgChanged]) -> None:
    if "slug" in said.event.fields:
        rows[said.event.slug] = SlugThen(said.event.slug, said.at)
    for freed in said.event.slugs_freed:
        del rows[freed]


class MemberThen(msgspec.Struct, frozen=True):
    """A member as they were."""

    user_id: UUID
    role: Role
    version: int
    joined_at: datetime


members = Fold("members", MemberThen, ids={"user_id": USER_ID}, left_out={"org_id": OF_THE_ORG})


@members.on(MemberJoined)
def _joined(rows: Rows[MemberThen], said: Said[MemberJoined]) -> None:
    rows[said.event.user_id] = MemberThen(said.event.user_id, said.event.role, 1, said.at)


@members.on(MemberRoleChanged)
def _promoted(rows: Rows[MemberThen], said: Said[MemberRoleChanged]) -> None:
    one = said.event
    rows[one.user_id] = replace(rows[one.user_id], role=one.role, version=one.version_after)


@members.on(MemberLeft)
def _left(rows: Rows[MemberThen], said: Said[MemberLeft]) -> None:
    del rows[said.event.user_id]


class InviteThen(msgspec.Struct, frozen=True):
    """An invite as it was; without its address once that is erased."""

    id: UUID
    email: str | None
    role: Role
    status: InviteStatus
    generation: int
    invited_by: UUID
    user_id: UUID | None
    created_at: datetime
    expires_at: datetime
    settled_at: datetime | None


invites = Fold(
    "invites",
    InviteThen,
    ids={"id": INVITE_ID, "invited_by": USER_ID, "user_id": USER_ID},
    erasable=("email",),
    left_out={
        "org_id": OF_THE_ORG,
        "email_key": "how the address is compared, which follows from the address",
        "muted": "says what other organizations sent to the address, which is not this one's to know",
    },
)


@invites.on(InviteSent)
def _asked(rows: Rows[InviteThen], said: Said[InviteSent]) -> None:
    before = rows.get(said.event.invite_id)
    rows[said.event.invite_id] = _pending(said.event, said, before.created_at if before else said.at)


@invites.on(InviteResent)
def _asked_again(rows: Rows[InviteThen], said: Said[InviteResent]) -> None:
    rows[said.event.invite_id] = _pending(said.event, said, rows[said.event.invite_id].created_at)


def _pending(one: InviteSent | InviteResent, said: Said[Any], created_at: datetime) -> InviteThen:
    return InviteThen(
        id=one.invite_id,
        email=said.details.get("email"),
        role=one.role,
        status="pending",
        generation=one.generation,
        invited_by=one.invited_by,
        user_id=None,
        created_at=created_at,
        expires_at=one.expires_at,
        settled_at=None,
    )


@invites.on(InviteAccepted)
def _accepted(rows: Rows[InviteThen], said: Said[InviteAccepted]) -> None:
    _settle(rows, said.event.invite_id, "accepted", said.at, said.event.user_id)


@invites.on(InviteDeclined)
def _declined(rows: Rows[InviteThen], said: Said[InviteDeclined]) -> None:
    _settle(rows, said.event.invite_id, "declined", said.at, said.event.user_id)


@invites.on(InviteRevoked)
def _revoked(rows: Rows[InviteThen], said: Said[InviteRevoked]) -> None:
    _settle(rows, said.event.invite_id, "revoked", said.at)


@invites.on(InviteExpired)
def _expired(rows: Rows[InviteThen], said: Said[InviteExpired]) -> None:
    _settle(rows, said.event.invite_id, "expired", said.at)


def _settle(
    rows: Rows[InviteThen], invite_id: UUID, status: InviteStatus, at: datetime, user_id: UUID | None = None
) -> None:
    rows[invite_id] = replace(rows[invite_id], status=status, settled_at=at, user_id=user_id)


@invites.on(InviteForgotten)
def _forgotten(rows: Rows[InviteThen], said: Said[InviteForgotten]) -> None:
    del rows[said.event.invite_id]


FOLDS = (orgs, slugs, members, invites)
