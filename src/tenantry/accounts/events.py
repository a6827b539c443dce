"""What can have happened to a person's account."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tenantry.foundation.events.event import Event

End = Literal["logout", "reuse", "revoked", "password", "address", "closed", "too_many"]


class RegistrationAsked(Event, frozen=True):
    """Somebody asked to join with an address."""

    kind = "accounts.registration_asked"
    registration_id: UUID


class VerificationAskedAgain(Event, frozen=True):
    """Somebody asked for the verification mail of a pending registration once more."""

    kind = "accounts.verification_asked_again"
    registration_id: UUID


class UserJoined(Event, frozen=True):
    """A person has an account: they proved an address by a registration or an invite, or an operator vouched for it."""

    kind = "accounts.user_joined"
    user_id: UUID
    registration_id: UUID | None


class SessionStarted(Event, frozen=True):
    """A person signed in on a device."""

    kind = "accounts.session_started"
    user_id: UUID
    session_id: UUID


class DeviceAppeared(Event, frozen=True):
    """A person signed in on a device that they were not known to use."""

    kind = "accounts.device_appeared"
    user_id: UUID
    session_id: UUID


class SessionRefreshed(Event, frozen=True):
    """A device exchanged its refresh token for the next one."""

    kind = "accounts.session_refreshed"
    user_id: UUID
    session_id: UUID
    counter: int


class SessionUsed(Event, frozen=True):
    """A browser came back; written down at most once an hour."""

    kind = "accounts.session_used"
    user_id: UUID
    session_id: UUID


class SessionBound(Event, frozen=True):
    """A device's next access tokens open one organization only, or all again."""

    kind = "accounts.session_bound"
    user_id: UUID
    session_id: UUID
    bound_to: UUID | None


class SessionEnded(Event, frozen=True):
    """A device was signed out: by its person, because its refresh token was used twice, or by what `why` says."""

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


class PasswordResetAsked(Event, frozen=True):
    """Somebody asked for a link that sets a new password, for an address that may have no account."""

    kind = "accounts.password_reset_asked"
    reset_id: UUID


class PasswordChanged(Event, frozen=True):
    """A person chose a new password, by a mailed link or while signed in."""

    kind = "accounts.password_changed"
    user_id: UUID
    by_link: bool


class AddressChangeAsked(Event, frozen=True):
    """A person wants another address, which is still to be proven."""

    kind = "accounts.address_change_asked"
    user_id: UUID
    change_id: UUID


class AddressChanged(Event, frozen=True):
    """A person proved their new address, and it took the place of the old one."""

    kind = "accounts.address_changed"
    user_id: UUID
    change_id: UUID


class UserClosed(Event, frozen=True):
    """A person closed their account, which is purged later unless they reopen it."""

    kind = "accounts.user_closed"
    user_id: UUID


class UserReopened(Event, frozen=True):
    """A person opened their closed account again."""

    kind = "accounts.user_reopened"
    user_id: UUID


class UserPurged(Event, frozen=True):
    """A closed account's time was over: every table forgot the person."""

    kind = "accounts.user_purged"
    user_id: UUID


class ExportAsked(Event, frozen=True):
    """A person asked for what the house holds about them."""

    kind = "accounts.export_asked"
    user_id: UUID
    export_id: UUID


class ExportReady(Event, frozen=True):
    """What the house holds about a person waits to be taken away."""

    kind = "accounts.export_ready"
    user_id: UUID
    export_id: UUID


class ExportTaken(Event, frozen=True):
    """A person took their export away; its link is dead."""

    kind = "accounts.export_taken"
    user_id: UUID
    export_id: UUID
