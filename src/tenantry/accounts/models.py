"""A person's rows: user, credential, session, pending registration, and what is true of each alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

REGISTRATION_LIFE = timedelta(hours=24)
"""A registration, and the link that proves its address."""
SESSION_IDLE = timedelta(days=30)
"""A session that is not refreshed ends after this time."""
SESSION_LIFE = timedelta(days=90)
"""A session ends after this time however often it is refreshed."""
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


class Credential(msgspec.Struct, frozen=True):
    """How a person proves to be that person: the stored hash of a password."""

    user_id: UUID
    password_hash: str


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
    counter: int
    rotated_at: datetime
    asked_at: datetime


class Rotation(msgspec.Struct, frozen=True):
    """Where a device stands: the number of the refresh token it holds next."""

    session_id: UUID
    counter: int


class Rotated(msgspec.Struct, frozen=True):
    """A session just after a refresh, with its person."""

    session_id: UUID
    counter: int
    id: UUID
    email: str
    name: str
    locale: str
    timezone: str
    version: int
    created_at: datetime

    @property
    def rotation(self) -> Rotation:
        """The session's half."""
        return Rotation(self.session_id, self.counter)

    @property
    def user(self) -> User:
        """The person's half."""
        return User(self.id, self.email, self.name, self.locale, self.timezone, self.version, self.created_at)
