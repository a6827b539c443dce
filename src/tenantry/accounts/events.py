"""What can have happened to a person's account."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tenantry.foundation.events.event import Event

End = Literal["logout", "reuse", "revoked", "password", "closed"]


class RegistrationAsked(Event, frozen=True):
    """Somebody asked to join with an address."""

    kind = "accounts.registration_asked"
    registration_id: UUID


class VerificationAskedAgain(Event, frozen=True):
    """Somebody asked for the verification mail of a pending registration once more."""

    kind = "accounts.verification_asked_again"
    registration_id: UUID


class UserJoined(Event, frozen=True):
    """A person has an account: they proved the address of a registration, or an operator vouched for it."""

    kind = "accounts.user_joined"
    user_id: UUID
    registration_id: UUID | None


class SessionStarted(Event, frozen=True):
    """A person signed in on a device."""

    kind = "accounts.session_started"
    user_id: UUID
    session_id: UUID


class SessionRefreshed(Event, frozen=True):
    """A device exchanged its refresh token for the next one."""

    kind = "accounts.session_refreshed"
    user_id: UUID
    session_id: UUID
    counter: int


class SessionEnded(Event, frozen=True):
    """A device was signed out, by the person or because its refresh token was used twice."""

    kind = "accounts.session_ended"
    user_id: UUID
    session_id: UUID
    why: End


class LoginRefused(Event, frozen=True):
    """Somebody gave a wrong password, or an address that no account has."""

    kind = "accounts.login_refused"
    user_id: UUID | None


class PasswordRehashed(Event, frozen=True):
    """A password was hashed anew with today's parameters, at a login."""

    kind = "accounts.password_rehashed"
    user_id: UUID


class ProfileChanged(Event, frozen=True):
    """A person changed their name, language or time zone."""

    kind = "accounts.profile_changed"
    user_id: UUID
    fields: tuple[str, ...]
    version_after: int
