"""What can have happened to organizations and their members. Ids and plain facts only; names stay in the rows."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from tenantry.foundation.events.event import Event
from tenantry.foundation.permission import Role


class OrgCreated(Event, frozen=True):
    """A person founded an organization."""

    kind = "orgs.org_created"
    org_id: UUID
    user_id: UUID
    slug: str


class OrgChanged(Event, frozen=True):
    """An organization got another name or slug."""

    kind = "orgs.org_changed"
    org_id: UUID
    fields: tuple[str, ...]
    slug: str
    version_after: int


class OrgClosed(Event, frozen=True):
    """An organization was closed; unless it is opened again, everything about it is purged at `purge_at`."""

    kind = "orgs.org_closed"
    org_id: UUID
    user_id: UUID
    purge_at: datetime


class OrgReopened(Event, frozen=True):
    """A closed organization was opened again."""

    kind = "orgs.org_reopened"
    org_id: UUID
    user_id: UUID


class OrgPurged(Event, frozen=True):
    """A closed organization's time was over: every table forgot it, and its slugs are free."""

    kind = "orgs.org_purged"
    # not called org_id: this is the house's to remember, and no row of an organization that is gone
    purged_id: UUID


class MemberJoined(Event, frozen=True):
    """A person became a member of an organization."""

    kind = "orgs.member_joined"
    org_id: UUID
    user_id: UUID
    role: Role


class MemberRoleChanged(Event, frozen=True):
    """A member got another role."""

    kind = "orgs.member_role_changed"
    org_id: UUID
    user_id: UUID
    role: Role
    version_after: int


class MemberLeft(Event, frozen=True):
    """A person is no member any more: they left, or were removed by another."""

    kind = "orgs.member_left"
    org_id: UUID
    user_id: UUID
    why: Literal["left", "removed"]


class OwnershipTransferred(Event, frozen=True):
    """An owner handed their ownership to another member, and is an admin since."""

    kind = "orgs.ownership_transferred"
    org_id: UUID
    from_user_id: UUID
    to_user_id: UUID


class InviteSent(Event, frozen=True):
    """An address was asked to join an organization, for the first time or anew."""

    kind = "orgs.invite_sent"
    org_id: UUID
    invite_id: UUID
    invited_by: UUID
    role: Role
    generation: int
    expires_at: datetime


class InviteResent(Event, frozen=True):
    """An invite got a new link and more time; the link before is dead."""

    kind = "orgs.invite_resent"
    org_id: UUID
    invite_id: UUID
    invited_by: UUID
    role: Role
    generation: int
    expires_at: datetime


class InviteAccepted(Event, frozen=True):
    """A person accepted an invite, and is a member since."""

    kind = "orgs.invite_accepted"
    org_id: UUID
    invite_id: UUID
    user_id: UUID


class InviteDeclined(Event, frozen=True):
    """Whoever was invited does not want to join."""

    kind = "orgs.invite_declined"
    org_id: UUID
    invite_id: UUID


class InviteRevoked(Event, frozen=True):
    """An invite was taken back before it was answered."""

    kind = "orgs.invite_revoked"
    org_id: UUID
    invite_id: UUID
    revoked_by: UUID


class InviteExpired(Event, frozen=True):
    """Nobody answered an invite in time."""

    kind = "orgs.invite_expired"
    org_id: UUID
    invite_id: UUID
