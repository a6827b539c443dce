"""A person's rows: user, credential, session, pending registration, and what is true of each alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.data.ids import IdKind

EXPORT_ID = IdKind("exp", "export_id")
REGISTRATION_LIFE = timedelta(hours=24)
"""A registration, and the link that proves its address."""
SESSION_IDLE = timedelta(days=30)
"""A session that is not refreshed ends after this time."""
SESSION_LIFE = timedelta(days=90)
"""A session ends after this time however often it is refreshed."""
RESET_LIFE = timedelta(minutes=60)
"""A link that sets a new password."""
CHANGE_LIFE = timedelta(hours=24)
"""A link that proves the next address."""
RECENT = timedelta(minutes=15)
"""After a login, what else needs the password does not ask for it for this time."""
UNDELAYED_GUESSES = 5
"""Wrong passwords in a row before the next one has to wait."""
MOST_DELAY = timedelta(minutes=15)
"""The longest wait between two passwords that are tried at one account."""
GUESS_LIFE = timedelta(days=1)
"""Wrong passwords are forgotten after this time without another."""
MOST_SESSIONS = 50
"""Live sessions of one person; a login beyond ends the one that was used longest ago."""
DEVICE_KNOWN = timedelta(days=90)
"""A device is known for this time after its last use."""
SESSION_KEPT = DEVICE_KNOWN
"""An ended session is kept for this time, because its device is known by it; then it is removed."""
GRACE = timedelta(days=30)
"""A closed account can be reopened for this time; then it is purged."""
EXPORT_LIFE = timedelta(hours=24)
"""An export, and the link that takes it away once."""
EXPORT_PAUSE = timedelta(hours=1)
"""One export of a person is gathered in this time."""
LONGEST_WHY = 500
"""Characters in which an operator says why a person is kept out."""
MAILS_AN_HOUR = 3
"""Mails about registrations to one address in an hour."""


class User(msgspec.Struct, frozen=True):
    """A person with an account."""

    id: UUID
    email: str
    name: str
    locale: str
    timezone: str
    version: int
    created_at: datetime
    purge_at: datetime | None


class Account(msgspec.Struct, frozen=True):
    """A person as an operator sees them: how it stands with the account, and on how many devices it is signed in."""

    id: UUID
    email: str
    name: str
    created_at: datetime
    closed_at: datetime | None
    purge_at: datetime | None
    disabled_at: datetime | None
    disabled_until: datetime | None
    disabled_why: str | None
    sessions: int
    last_used_at: datetime | None

    @property
    def status(self) -> Literal["active", "disabled", "closed"]:
        """Whether the person may sign in."""
        return "disabled" if self.disabled_at else "closed" if self.closed_at else "active"


class Rewritten(User, frozen=True):
    """A person whose profile was just changed, with what it said before."""

    name_was: str
    locale_was: str
    timezone_was: str

    @property
    def user(self) -> User:
        """As they are now."""
        return User(*(getattr(self, field) for field in User.__struct_fields__))

    def said(self, fields: Sequence[str]) -> dict[str, str | None]:
        """What some fields of the profile say now, and what they said before."""
        return {name: getattr(self, name) for field in fields for name in (field, f"{field}_was")}


class Credential(msgspec.Struct, frozen=True):
    """How a person proves to be that person: the stored hash of a password."""

    user_id: UUID
    email_key: str
    password_hash: str


class Guess(msgspec.Struct, frozen=True):
    """Whether a password may be tried now, else after how many seconds; and the credential of the address, if any."""

    user_id: UUID | None
    email_key: str | None
    password_hash: str | None
    wait: float
    admitted: bool

    @property
    def credential(self) -> Credential | None:
        """The person's half."""
        if self.user_id is None or self.email_key is None or self.password_hash is None:
            return None
        return Credential(self.user_id, self.email_key, self.password_hash)


class AddressChange(msgspec.Struct, frozen=True):
    """The address that a person wants next, and the one it takes the place of."""

    user_id: UUID
    id: UUID
    email: str
    email_key: str
    previous: str


class Registration(msgspec.Struct, frozen=True):
    """Somebody asked to join with an address and has not yet proven it."""

    id: UUID
    email: str
    email_key: str
    name: str
    password_hash: str
    created_at: datetime
    expires_at: datetime


class Session(msgspec.Struct, frozen=True):
    """A signed-in device. Its counter is the number of the only refresh token that counts."""

    id: UUID
    user_id: UUID
    org_id: UUID | None
    counter: int
    rotated_at: datetime
    asked_at: datetime


class Device(msgspec.Struct, frozen=True):
    """A live session as its person sees it; its last use is its last refresh, or the login."""

    id: UUID
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    source: str
    agent: str


class SignIn(msgspec.Struct, frozen=True):
    """A login, with whom and where to tell about it."""

    email: str
    timezone: str
    created_at: datetime
    source: str
    agent: str


class Export(msgspec.Struct, frozen=True):
    """What a person asked to take away: being gathered, ready, or used; and seconds until another may be asked for."""

    id: UUID
    ready: bool
    used: bool
    pause_left: int


class DeviceHeld(msgspec.Struct, frozen=True):
    """All that is known of a session, ended ones too, as its person takes it away."""

    created_at: datetime
    rotated_at: datetime
    ended_at: datetime | None
    ended_why: str | None
    source: str
    agent: str


class Happened(msgspec.Struct, frozen=True):
    """An event of a person's history; the payload is JSON, and so is what of it is personal."""

    at: datetime
    kind: str
    payload: str
    named: str | None


class Noted(msgspec.Struct, frozen=True):
    """What stands beside the history of an organization about a person, or about who did something; it is JSON."""

    at: datetime
    about: str
    named: str


class Rotation(msgspec.Struct, frozen=True):
    """Where a device stands: the number of the refresh token it holds next, and the org its tokens are bound to."""

    session_id: UUID
    counter: int
    org_id: UUID | None = None


class Rotated(msgspec.Struct, frozen=True):
    """A session just after a refresh, with its person."""

    session_id: UUID
    counter: int
    org_id: UUID | None
    id: UUID
    email: str
    name: str
    locale: str
    timezone: str
    version: int
    created_at: datetime
    purge_at: datetime | None

    @property
    def rotation(self) -> Rotation:
        """The session's half."""
        return Rotation(self.session_id, self.counter, self.org_id)

    @property
    def user(self) -> User:
        """The person's half."""
        return User(
            self.id,
            self.email,
            self.name,
            self.locale,
            self.timezone,
            self.version,
            self.created_at,
            self.purge_at,
        )


def network_of(source: str) -> str:
    """The network that a source address belongs to, the /24 or /64: a home keeps it when its address changes."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ip_network((address, 24 if address.version == 4 else 64), strict=False))
