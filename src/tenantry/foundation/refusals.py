"""What the database's own refusals mean: constraint names and SQLSTATEs translated into Problems."""

from __future__ import annotations

from functools import cache

from asyncpg.exceptions import IntegrityConstraintViolationError, PostgresConnectionError, PostgresError

from tenantry.foundation.answers import AnswerKept, SameUnderWay
from tenantry.foundation.data.pool import DatabaseUnavailable
from tenantry.foundation.problems import (
    Forbidden,
    NotFound,
    PlanNeeded,
    Problem,
    Unauthenticated,
    Unavailable,
    every_problem,
)
from tenantry.foundation.security.known_keys import KeyRefused


class Overloaded(Unavailable):
    """The database could not finish this in time; try again shortly."""

    code = "overloaded"


class NoSpace(Unavailable):
    """The database has no space left; reading still works."""

    code = "no_space"


class SessionEnded(Unauthenticated):
    """This session has ended; sign in again."""

    code = "session_ended"


class AccountClosed(Forbidden):
    """This account is closed; until it is purged, reopening it brings everything back."""

    code = "account_closed"


class ProofNeeded(Forbidden):
    """This needs your password, or a sign-in less than 15 minutes ago."""

    code = "proof_needed"


class OrgClosed(Forbidden):
    """This organization is closed; until it is purged, its owners can open it again."""

    code = "org_closed"


class PaymentNeeded(PlanNeeded):
    """This organization is not paid: everything in it can be read, and nothing be changed until it is."""

    code = "payment_needed"


_STATES: dict[str, type[Problem]] = {
    "TN40K": KeyRefused,
    "TN401": SessionEnded,
    "TN402": PaymentNeeded,
    "TN403": AccountClosed,
    "TN404": NotFound,
    "TN409": SameUnderWay,
    "TN410": OrgClosed,
    "53100": NoSpace,
    "53300": DatabaseUnavailable,
    "40001": Overloaded,
    "40P01": Overloaded,
    "55P03": Overloaded,
    "57014": Overloaded,
    "25P03": Overloaded,
    "25P04": Overloaded,
}


@cache
def _by_constraint() -> dict[str, type[Problem]]:
    return {kind.constraint: kind for kind in every_problem() if kind.constraint}


def problem_of(error: PostgresError) -> Exception:
    """The Problem that a database error means to a caller, or the error itself when it is a mistake of ours."""
    if isinstance(error, IntegrityConstraintViolationError):
        declared = _by_constraint().get(error.constraint_name or "")
        return declared() if declared else error
    if isinstance(error, PostgresConnectionError) or (error.sqlstate or "").startswith("57P"):
        return DatabaseUnavailable()
    if error.sqlstate == "TN208":
        return AnswerKept()
    known = _STATES.get(error.sqlstate or "")
    if known is None:
        return error
    # the gate of an organization says so of a stranger, as of one that there is not
    return known().as_denial() if error.sqlstate == "TN404" else known()
