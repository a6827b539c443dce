"""An organization's rows: the tenant, its members, and what is true of each alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.data.ids import IdKind
from tenantry.foundation.permission import Role, rank

GRACE = timedelta(days=30)
"""A closed organization can be reopened for this time; then it is purged."""
MOST_ORGS = 100
"""Organizations that one person may belong to."""
MOST_MEMBERS = 10_000
"""Members of one organization."""
SLUGS_KEPT = 10
"""Slugs of an organization, the present and earlier ones; an older one can be taken by others again."""
INVITE_ID = IdKind("inv", "invite_id")
INVITE_LIFE = timedelta(days=7)
"""An invite, and the link in its mail."""
INVITE_KEPT = timedelta(days=30)
"""An invite that is settled or expired is kept for this time; until then an expired one can be sent again."""
MOST_PENDING = 500
"""Invites of one organization that wait for an answer."""
INVITES_AT_ONCE = 50
"""Invites in one request."""
SLUG = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,39}", re.ASCII)
# what an address of ours, or of a product beside us, could begin with
RESERVED = frozenset(
    """
    about abuse account accounts admin administrator api app apps assets auth billing blog console contact dashboard
    dev docs download email embed example favicon feed files forum graphql health help home host hosting image images
    inbox info internal invite invites jobs legal localhost login logout mail media metrics new news notifications oauth
    official ops org organization organizations orgs owner password payment payments ping plans postmaster pricing
    privacy private prod production public register root sales search security self settings setup shop signin signup
    site smtp sso staff staging static status store stripe subdomain support system team teams tenant tenantry terms
    test user users verify webhook webhooks webmaster websocket welcome www
    """.split()  # noqa: SIM905  (a hundred words read better as a paragraph)
)


class Org(msgspec.Struct, frozen=True):
    """A tenant, as one of its members sees it."""

    id: UUID
    name: str
    slug: str
    version: int
    created_at: datetime
    purge_at: datetime | None
    restricted_from: datetime | None
    role: Role


class AnyOrg(msgspec.Struct, frozen=True):
    """A tenant as an operator sees it: how it stands, and how many belong to it."""

    id: UUID
    name: str
    slug: str
    created_at: datetime
    closed_at: datetime | None
    purge_at: datetime | None
    restricted_from: datetime | None
    members: int

    @property
    def status(self) -> Literal["open", "closed"]:
        """Whether anybody can work in it."""
        return "closed" if self.closed_at else "open"


class Renamed(Org, frozen=True):
    """A tenant that was just called otherwise, and how it was called before."""

    name_was: str
    slug_was: str


class Member(msgspec.Struct, frozen=True):
    """A person's belonging to an organization, with who it is."""

    id: UUID
    email: str
    name: str
    role: Role
    version: int
    joined_at: datetime


class Who(msgspec.Struct, frozen=True):
    """Who somebody is to those who read about them later."""

    email: str
    name: str

    def said(self) -> Mapping[str, str]:
        """As the history keeps it, for as long as they may be named."""
        return {"email": self.email, "name": self.name}


class Standing(msgspec.Struct, frozen=True):
    """In which role somebody belongs to an organization, and the version of that."""

    user_id: UUID
    role: Role
    version: int


class Membership(msgspec.Struct, frozen=True):
    """One organization of a person, as they take it away."""

    id: UUID
    name: str
    role: Role
    joined_at: datetime


class Closure(msgspec.Struct, frozen=True):
    """Whether an organization is closed, until when it can be opened again, and whether it is too late for that."""

    slug: str
    purge_at: datetime | None
    purge_began_at: datetime | None


class Closing(msgspec.Struct, frozen=True):
    """Until when an organization that was just closed can be opened again, and its version since."""

    purge_at: datetime
    version: int


class Openness(msgspec.Struct, frozen=True):
    """Whether an organization is closed, and whether it is restricted by now."""

    closed: bool
    restricted: bool


class Restriction(msgspec.Struct, frozen=True):
    """From when on an organization is restricted, if ever, and its version."""

    restricted_from: datetime | None
    version: int


class Owner(msgspec.Struct, frozen=True):
    """An owner as a mail about their organization needs them, and when that is purged."""

    email: str
    timezone: str
    org_name: str
    purge_at: datetime | None


InviteStatus = Literal["pending", "accepted", "declined", "revoked", "expired"]


class Invite(msgspec.Struct, frozen=True):
    """An address that is asked to join, as the organization sees it; one that nobody answered in time is expired."""

    id: UUID
    email: str
    role: Role
    status: InviteStatus
    invited_by: UUID
    generation: int
    created_at: datetime
    expires_at: datetime


Comes = Literal["invited", "accepted", "added"]
"""How somebody becomes a member: they are asked now, say yes to what waited for them, or were not asked at all."""


class Placed(msgspec.Struct, frozen=True):
    """An invite that was just sent, and whether there was none before."""

    invite: Invite
    new: bool


class Claim(msgspec.Struct, frozen=True):
    """An invite as it is answered: whose it is, which link counts, and who answered it."""

    id: UUID
    org_id: UUID
    email: str
    email_key: str
    role: Role
    status: InviteStatus
    generation: int
    invited_by: UUID
    user_id: UUID | None


class Offer(msgspec.Struct, frozen=True):
    """An invite as whom it is for sees it."""

    id: UUID
    org_id: UUID
    org: str
    email: str
    email_key: str
    role: Role
    status: InviteStatus
    inviter: str | None
    expires_at: datetime
    user_id: UUID | None


class InviteMail(msgspec.Struct, frozen=True):
    """What the mail of an invite says, and to whom."""

    email: str
    org: str
    inviter: str


class InviteHeld(msgspec.Struct, frozen=True):
    """An invite to a person, as they take it away."""

    org: str
    email: str
    role: Role
    status: InviteStatus
    created_at: datetime
    settled_at: datetime | None


JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
"""Where a job stands that somebody waits for: it waits (again), is being done, or ended in one of three ways."""


class JobReport(msgspec.Struct, frozen=True):
    """How a job stands that somebody in the organization waits for."""

    id: UUID
    kind: str
    state: JobState
    attempt: int
    done: int | None
    total: int | None
    note: str | None
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class Joined(msgspec.Struct, frozen=True):
    """Where an invite led, and in which role."""

    org_id: UUID
    role: Role


def masked(email: str) -> str:
    """An address that its owner recognizes and nobody else can use."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}***@{domain}"


def may_govern(own: Role, other: Role) -> bool:
    """Whether somebody in one role may give, change or take away another."""
    return rank(own) >= rank(other)


def slug_of(name: str) -> str:
    """A slug made of a name, which may be taken, reserved or too short."""
    words = re.findall(r"[a-z0-9]+", name.casefold())
    return "-".join(words)[:40].strip("-")
