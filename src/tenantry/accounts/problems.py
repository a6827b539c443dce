"""What can be refused to a person about their account."""

from __future__ import annotations

from collections.abc import Sequence

from tenantry.foundation.problems import Conflict, FieldError, Invalid, Problem, Unauthenticated


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


class AddressTaken(Conflict):
    """This address already belongs to an account."""

    code, constraint = "address_taken", "one_user_per_address"


class RefreshRefused(Unauthenticated):
    """This refresh token is not valid; sign in again."""

    code = "refresh_refused"


class RefreshReused(RefreshRefused):
    """This refresh token was used before, so its session was ended; sign in again."""

    code = "refresh_reused"
