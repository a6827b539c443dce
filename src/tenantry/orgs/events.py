"""What can have happened to organizations, their members and invites: after-values, of which `history.py` makes rows.

An organization's name and slugs are its own and no person's: they outlive whoever gave them, in the rows as in here,
and both are forgotten with the organization. Whose address was invited is personal and stands in the details.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from tenantry.foundation.events.event import Audited, Event
from tenantry.foundation.permission import Role


class OrgCreated(Event, frozen=True):
    """A person founded an organization."""

    kind = "orgs.org_created"
    audited = Audited("orgs:org:created", target="org_id", shows=("name", "slug"))
    webhook = "org.created"
    org_id: UUID
    user_id: UUID
    name: str
    slug: str


class OrgChanged(Event, frozen=True):
    """An organization got another name or slug; of its earlier slugs those that were freed lead to it no more."""

    kind = "orgs.org_changed"
    audited = Audited("orgs:org:changed", target="org_id", shows=("name", "slug"))
    webhook = "org.changed"
    org_id: UUID
    fields: tuple[str, ...]
    name: str
    slug: str
    slugs_freed: tuple[str, ...]
    version_after: int


class OrgClosed(Event, frozen=True):
    """An organization was closed; unless it is opened again, everything about it is purged at `purge_at`."""

    kind = "orgs.org_closed"
    audited = Audited("orgs:org:closed", target="org_id", shows=("purge_at",))
    webhook = "org.closed"
    org_id: UUID
    user_id: UUID
    purge_at: datetime
    version_after: int


class OrgReopened(Event, frozen=True):
    """A closed organization was opened again."""

    kind = "orgs.org_reopened"
    audited = Audited("orgs:org:reopened", target="org_id")
    webhook = "org.reopened"
    org_id: UUID
    user_id: UUID
    version_after: int


class OrgRestricted(Event, frozen=True):
    """An organization is not paid: from `restricted_from` on its members change nothing in it."""

    kind = "orgs.org_restricted"
    audited = Audited("orgs:org:restricted", target="org_id", shows=("restricted_from",))
    webhook = "org.restricted"
    org_id: UUID
    restricted_from: datetime
    version_after: int


class OrgUnrestricted(Event, frozen=True):
    """An organization is paid again, and open to changes."""

    kind = "orgs.org_unrestricted"
    audited = Audited("orgs:org:unrestricted", target="org_id")
    webhook = "org.unrestricted"
    org_id: UUID
    version_after: int


class OrgPurged(Event, frozen=True):
    """A closed organization's time was over: every table forgot it, and its slugs are free."""

    kind = "orgs.org_purged"
    audited = Audited("orgs:org:purged", target="purged_id", thing="org")
    # not called org_id: this is the house's to remember, and no row of an organization that is gone
    purged_id: UUID


class MemberJoined(Event, frozen=True):
    """A person became a member of an organization."""

    kind = "orgs.member_joined"
    audited = Audited("orgs:member:joined", target="user_id", shows=("role",))
    webhook = "member.joined"
    org_id: UUID
    user_id: UUID
    role: Role


class MemberRoleChanged(Event, frozen=True):
    """A member got another role."""

    kind = "orgs.member_role_changed"
    audited = Audited("orgs:member:role_changed", target="user_id", shows=("role",))
    webhook = "member.role_changed"
    org_id: UUID
    user_id: UUID
    role: Role
    version_after: int


class MemberLeft(Event, frozen=True):
    """A person is no member any more: they left, were removed by another, or were purged with their account."""

    kind = "orgs.member_left"
    audited = Audited("orgs:member:left", target="user_id", shows=("why",))
    webhook = "member.left"
    org_id: UUID
    user_id: UUID
    why: Literal["left", "removed", "purged"]


class OwnershipTransferred(Event, frozen=True):
    """An owner handed their ownership to another member, and is an admin since."""

    kind = "orgs.ownership_transferred"
    audited = Audited("orgs:ownership:transferred", target="to_user_id", thing="user")
    webhook = "ownership.transferred"
    org_id: UUID
    from_user_id: UUID
    to_user_id: UUID


class InviteSent(Event, frozen=True):
    """An address was asked to join an organization, for the first time or anew."""

    kind = "orgs.invite_sent"
    audited = Audited("orgs:invite:sent", target="invite_id", shows=("role", "expires_at"))
    webhook = "invite.sent"
    org_id: UUID
    invite_id: UUID
    invited_by: UUID
    role: Role
    generation: int
    expires_at: datetime


class InviteResent(Event, frozen=True):
    """An invite got a new link and more time; the link before is dead."""

    kind = "orgs.invite_resent"
    audited = Audited("orgs:invite:resent", target="invite_id", shows=("role", "expires_at"))
    webhook = "invite.resent"
    org_id: UUID
    invite_id: UUID
    invited_by: UUID
    role: Role
    generation: int
    expires_at: datetime


class InviteAccepted(Event, frozen=True):
    """A person accepted an invite, and is a member since."""

    kind = "orgs.invite_accepted"
    audited = Audited("orgs:invite:accepted", target="invite_id")
    webhook = "invite.accepted"
    org_id: UUID
    invite_id: UUID
    user_id: UUID


class InviteDeclined(Event, frozen=True):
    """Whoever was invited does not want to join."""

    kind = "orgs.invite_declined"
    audited = Audited("orgs:invite:declined", target="invite_id")
    webhook = "invite.declined"
    org_id: UUID
    invite_id: UUID
    # none for whoever held the link alone: it proves the address and not the person
    user_id: UUID | None


class InviteRevoked(Event, frozen=True):
    """An invite was taken back before it was answered."""

    kind = "orgs.invite_revoked"
    audited = Audited("orgs:invite:revoked", target="invite_id")
    webhook = "invite.revoked"
    org_id: UUID
    invite_id: UUID
    revoked_by: UUID


class InviteExpired(Event, frozen=True):
    """Nobody answered an invite in time."""

    kind = "orgs.invite_expired"
    audited = Audited("orgs:invite:expired", target="invite_id")
    webhook = "invite.expired"
    org_id: UUID
    invite_id: UUID


class InviteForgotten(Event, frozen=True):
    """What was left of an invite was removed: its end was long ago, or whom it was for is purged."""

    kind = "orgs.invite_forgotten"
    org_id: UUID
    invite_id: UUID
    why: Literal["old", "purged"]
