"""Rows of flags, and what stands in them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.flags.models.definitions import Definition, Rule
from tenantry.foundation.flag import FlagKind


class StoredFlag(msgspec.Struct, frozen=True):
    """A flag as it is stored."""

    key: str
    kind: FlagKind
    variants: str
    default_variant: str
    off_variant: str | None
    rules: str
    salt: str
    killed: bool
    visible: bool
    description: str
    team: str | None
    expires_at: datetime | None
    same_since: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def definition(self) -> Definition:
        """What it is made of; a ValueError for what this version of the code does not know."""
        return Definition(
            kind=self.kind, variants=msgspec.json.decode(self.variants), default=self.default_variant,
            off=self.off_variant, rules=msgspec.json.decode(self.rules, type=tuple[Rule, ...]), salt=self.salt,
            visible=self.visible, description=self.description, team=self.team, expires=self.expires_at,
        )  # fmt: skip

    @property
    def readable(self) -> Definition | None:
        """The same; None for what this version of the code does not know."""
        try:
            return self.definition
        except (ValueError, TypeError):
            return None


class Override(msgspec.Struct, frozen=True):
    """A variant that an organization has whatever the rules say, and why."""

    org_id: UUID
    flag_key: str
    variant: str
    reason: str


class Mark(msgspec.Struct, frozen=True):
    """Where the flags stand: another one means that something is not as it was."""

    version: int
    changed_at: datetime


class Worn(msgspec.Struct, frozen=True):
    """A flag, how often it was asked for, and whether it has outlived its use, for each of the reasons."""

    key: str
    team: str | None
    expired: bool
    always_the_same: bool
    not_asked_for: bool
    evaluations: int
    evaluated_at: datetime | None
    expires_at: datetime | None
    same_since: datetime | None

    @property
    def reasons(self) -> list[str]:
        """Why it should go."""
        told = {"expired": self.expired, "always the same": self.always_the_same, "not asked for": self.not_asked_for}
        return [reason for reason, holds in told.items() if holds]
