"""What can be refused to a person about their account."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tenantry.foundation.problems import Conflict, FieldError, Invalid, Problem, TooMany, Unauthenticated


class InvalidCredentials(Unauthenticated):
    """The address or the password is wrong."""

    code = "invalid_credentials"


class WeakPassword(Invalid):
    """This password is too easy to guess."""

    code = "weak_password"

    def __init__(self, reasons: Sequence[tuple[str, str]], *, at: str = "body.password") -> None:
        faults = tuple(FieldError(at, sentence) for _, sentence in reasons)
        super().__init__(errors=faults, more={"reasons": [name for name, _ in reasons]})

    @classmethod
    def sample(cls) -> WeakPassword:
        return cls([("breached", "This password is in a list of stolen ones.")])


class LinkInvalid(Problem):
    """This link has been used, has expired, or is not one of ours; ask for a new one."""

    status, code = 410, "link_invalid"
    denial = True


class AddressTaken(Conflict):
    """This address already belongs to an account."""

    code, constraint = "address_taken", "one_user_per_address"


class RefreshRefused(Unauthenticated):
    """This refresh token is not valid; sign in again."""

    code = "refresh_refused"


class RefreshReused(RefreshRefused):
    """This refresh token was used before, so its session was ended; sign in again."""

    code = "refresh_reused"


class TooManyGuesses(TooMany):
    """Too many wrong passwords were tried at this account; wait, then try again."""

    code = "too_many_guesses"


class Blocker(msgspec.Struct, frozen=True):
    """One thing that still needs an account: a stable code, a sentence for its person, and what it is about."""

    code: str
    message: str
    id: str


class ClosureBlocked(Conflict):
    """Something still needs this account; settle what blocks closing it, then close it."""

    code = "closure_blocked"

    def __init__(self, blockers: Sequence[Blocker]) -> None:
        super().__init__(more={"blockers": [msgspec.to_builtins(blocker) for blocker in blockers]})

    @classmethod
    def sample(cls) -> ClosureBlocked:
        return cls([Blocker("sole_owner", "You are the only owner of Acme.", "org_01jd4w2q8nf6v9m3x5c7b1r0kt")])


class NotClosed(Conflict):
    """This account is not closed."""

    code = "not_closed"


class TooManyExports(TooMany):
    """An export was taken less than an hour ago; wait, then ask for the next one."""

    code = "too_many_exports"
