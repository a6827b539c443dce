"""Surroundings: what the console's frame shows around a page, told by the domains that know it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from tenantry.foundation.permission import OperatorRole, Role
from tenantry.foundation.question import Question


class OrgNamed(msgspec.Struct, frozen=True):
    """An organization that somebody belongs to, with their role in it."""

    id: UUID
    name: str
    role: Role


class Surroundings(msgspec.Struct, frozen=True):
    """Who looks at the page, the organization that it is about, and some of those they can go to from here."""

    name: str
    email: str
    org: OrgNamed | None
    orgs: tuple[OrgNamed, ...]


def _first(answers: Sequence[Surroundings | None]) -> Surroundings | None:
    return answers[0] if answers else None


surroundings: Question[[UUID | None], Surroundings | None] = Question(
    "surroundings",
    "Who looks at a page of the console, and which organizations they belong to; with the one that the page is about.",
    settle=_first,
)


class OperatorNamed(msgspec.Struct, frozen=True):
    """The operator who looks at a page."""

    name: str
    email: str
    role: OperatorRole


def _one(answers: Sequence[OperatorNamed | None]) -> OperatorNamed | None:
    return answers[0] if answers else None


operator_named: Question[[], OperatorNamed | None] = Question(
    "operator_named", "Which operator looks at a page of the console.", settle=_one
)
