"""What can have happened to a person's account."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from tenantry.foundation.events.event import Audited, Event

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
    audited = Audited("accounts:person:joined", target="user_id")
    user_id: UUID
    registration_id: UUID | None


class SessionStarted(Event, frozen=True):
    """A person signed in on a device."""

    kind = "accounts.session_started"
    audited = Audited("accounts:session:started", target="session_id")
    user_id: UUID
    session_id: UUID


class DeviceAppeared(Event, frozen=True):
    """A person signed in on a device that they were not known to use."""

    kind = "accounts.device_appeared"
    audited = Audited("accounts:device:appeared", target="session_id")
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
    audited = Audited("accounts:session:bound", target="session_id", shows=("bound_to",))
    user_id: UUID
    session_id: UUID
    bound_to: UUID | None


class SessionEnded(Event, frozen=True):
    """A device was signed out: by its person, because its refresh token was used twice, or by what `why` says."""

    kind = "accounts.session_ended"
    audited = Audited("accounts:session:ended", target="session_id", shows=("why",))
    user_id: UUID
    session_id: UUID
    why: End


class LoginRefused(Event, frozen=True):
    """Somebody gave a wrong password, or an address that no account has."""

    kind = "accounts.login_refused"
    audited = Audited("accounts:login:refused", target="user_id", denied=True)
    user_id: UUID | None


class PasswordRehashed(Event, frozen=True):
    """A password was hashed anew with today's parameters, at a login."""

    kind = "accounts.password_rehashed"
    user_id: UUID


class ProfileChanged(Event, frozen=True):
    """A person changed their name, language or time zone."""

    kind = "accounts.profile_changed"
    audited = Audited("accounts:profile:changed", target="user_id", shows=("fields",))
    user_id: UUID
    fields: tuple[str, ...]
    version_after: int


class PasswordResetAsked(Event, frozen=True):
    """Somebody asked for a link that sets a new password, for an address that may have no account."""

    kind = "accounts.password_reset_asked"
    audited = Audited("accounts:password:reset_asked", target="reset_id")
    reset_id: UUID


class PasswordChanged(Event, frozen=True):
    """A person chose a new password, by a mailed link or while signed in."""

    kind = "accounts.password_changed"
    audited = Audited("accounts:password:changed", target="user_id", shows=("by_link",))
    user_id: UUID
    by_link: bool


class AddressChangeAsked(Event, frozen=True):
    """A person wants another address, which is still to be proven."""

    kind = "accounts.address_change_asked"
    audited = Audited("accounts:address:change_asked", target="user_id")
    user_id: UUID
    change_id: UUID


class AddressChanged(Event, frozen=True):
    """A person proved their new address, and it took the place of the old one."""

    kind = "accounts.address_changed"
    audited = Audited("accounts:address:changed", target="user_id")
    user_id: UUID
    change_id: UUID


class UserClosed(Event, frozen=True):
    """A person closed their account, which is purged later unless they reopen it."""

    kind = "accounts.user_closed"
    audited = Audited("accounts:person:closed", target="user_id")
    user_id: UUID


class UserReopened(Event, frozen=True):
    """A person opened their closed account again."""

    kind = "accounts.user_reopened"
    audited = Audited("accounts:person:reopened", target="user_id")
    user_id: UUID


class UserDisabled(Event, frozen=True):
    """An operator keeps a person out: nobody signs in to the account until then, or until it is enabled."""

    kind = "accounts.user_disabled"
    audited = Audited("accounts:person:disabled", target="user_id", shows=("until",))
    user_id: UUID
    until: datetime | None


class UserEnabled(Event, frozen=True):
    """A person who was kept out may sign in again: an operator said so, or the time was over."""

    kind = "accounts.user_enabled"
    audited = Audited("accounts:person:enabled", target="user_id")
    user_id: UUID


class UserPurged(Event, frozen=True):
    """A closed account's time was over: every table forgot the person."""

    kind = "accounts.user_purged"
    audited = Audited("accounts:person:purged", target="user_id")
    user_id: UUID


class AddressForgotten(Event, frozen=True):
    """An address without an account was forgotten everywhere; which one it was, nothing says any more."""

    kind = "accounts.address_forgotten"
    audited = Audited("accounts:address:forgotten")


class ExportAsked(Event, frozen=True):
    """A person asked for what the house holds about them."""

    kind = "accounts.export_asked"
    audited = Audited("accounts:export:asked", target="export_id")
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
    audited = Audited("accounts:export:taken", target="export_id")
    user_id: UUID
    export_id: UUID
