"""A person's rows: user, credential, session, pending registration, and what is true of each alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

REGISTRATION_LIFE = timedelta(hours=24)
SESSION_IDLE = timedelta(days=30)
SESSION_LIFE = timedelta(days=90)
MAILS_AN_HOUR = 3


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


class Moment(msgspec.Struct, frozen=True):
    """The database's time, where a decision about a row is made in code."""

    now: datetime


class Rotation(msgspec.Struct, frozen=True):
    """A session after a refresh: whose it is and which refresh token comes next."""

    session_id: UUID
    user_id: UUID
    counter: int
