"""Quotas as they stand: how much of a limit is used, allowed and left, and which shares of it were reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from tenantry.foundation.quota import Quota
from tenantry.plans.models import Entitled, Source
from tenantry.usage.models.periods import Period

SHARES: Sequence[int] = (50, 80, 100)
"""The shares of a limit, in percent, that are told once they are reached."""


class Limited(msgspec.Struct, frozen=True):
    """A quota on a meter as it is for an organization: how much is allowed, and whether more is refused."""

    org_id: UUID
    quota: Quota
    meter: str
    allowed: int
    hard: bool

    @classmethod
    def of(cls, org_id: UUID, quota: Quota, found: Entitled) -> Limited | None:
        """What the plan makes of a quota; None where it is not limited."""
        allowed = found.limit(quota.limit)
        if allowed is None or quota.meter is None:
            return None
        return cls(org_id, quota, quota.meter.key, allowed, is_hard(quota, found))

    @property
    def most(self) -> int | None:
        """How much may be used at all; None without end."""
        return self.allowed if self.hard else None

    def refuses(self, used: int) -> bool:
        """Whether so much is too much."""
        return self.hard and used > self.allowed


class Counted(msgspec.Struct, frozen=True):
    """What a counter shows: how much is used, and the highest share that was told, and of how much."""

    used: int
    told: int
    told_of: int | None

    def untold(self, allowed: int) -> list[int]:
        """The shares of a limit that are reached, and were not told of this limit."""
        known = self.told if self.told_of == allowed else 0
        return [share for share in reached(self.used, allowed) if share > known]


class Recounted(msgspec.Struct, frozen=True):
    """What a counter shows after something was reported for its period."""

    period_start: datetime
    used: int
    told: int
    told_of: int | None

    @property
    def counted(self) -> Counted:
        """What it shows."""
        return Counted(self.used, self.told, self.told_of)


class Standing(msgspec.Struct, frozen=True):
    """Where a limit stands that somebody did not get more of: the moment it is there, and what is used if counted."""

    at: datetime
    used: int | None


class Kept(msgspec.Struct, frozen=True):
    """A counter of an organization."""

    limit_key: str
    period_start: datetime
    used: int


class Balance(msgspec.Struct, frozen=True):
    """How much of a quota an organization has used, of how much; without a limit as much as it likes."""

    quota: Quota
    source: Source
    plan: str
    allowed: int | None
    used: int
    hard: bool
    period: Period | None

    @property
    def remaining(self) -> int | None:
        """How much is left; None without end."""
        return None if self.allowed is None else max(0, self.allowed - self.used)

    @property
    def overage(self) -> int:
        """How much was used past the limit."""
        return 0 if self.allowed is None else max(0, self.used - self.allowed)


def balance(quota: Quota, found: Entitled, used: int, period: Period | None) -> Balance:
    """How a quota stands that so much is used of."""
    allowed = found.room(quota.limit) if quota.meter is None else found.limit(quota.limit)
    return Balance(
        quota=quota, source=found[quota.limit].source, plan=found.plan.key, allowed=allowed, used=used,
        hard=is_hard(quota, found), period=period,
    )  # fmt: skip


def is_hard(quota: Quota, found: Entitled) -> bool:
    """Whether what is past a quota is refused, as the plan has it."""
    return quota.hard and (quota.used is not None or quota.limit not in found.plan.soft)


def reached(used: int, allowed: int) -> Iterator[int]:
    """The shares of a limit that so much use has reached; nothing used has reached none."""
    return (share for share in SHARES if used > 0 and used * 100 >= share * allowed)


def crossed(before: int, after: int, allowed: int) -> list[int]:
    """The shares of a limit that are reached now and were not before."""
    return sorted({*reached(after, allowed)} - {*reached(before, allowed)})


def day_of(at: datetime) -> Period:
    """The day in UTC that a moment lies in."""
    start = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Period(start, start + timedelta(days=1))
