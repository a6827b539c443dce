"""What an organization may do: its plan's features and limits, and what it was given beside them, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tenantry.plans.models.catalogue import Catalogue, Plan

SEATS = "seats"
"""The limit on members and waiting invites."""
API_RATE = "api_per_minute"
"""The limit on how often a minute an organization may ask."""
JOB_WEIGHT = "job_weight"
"""The limit that is none: how much of the job queue an organization gets, compared with one on the default plan."""
MOST_WEIGHT = 100
"""How much more of the job queue one organization may get than another."""
GivenAs = Literal["grant", "subscription", "trial", "override", "add_on"]
Source = Literal["plan", "trial", "override", "add_on"]
HOLDINGS: Sequence[GivenAs] = ("grant", "subscription", "trial")
"""Why an organization is on a plan, the reason that counts first at the beginning."""
OVERRIDES: Sequence[GivenAs] = ("override", "add_on")
"""What is given beside a plan: a value instead of the plan's, or one on top of it."""


class Given(msgspec.Struct, frozen=True):
    """A row of what an organization was given: a plan, or a value of one feature or limit."""

    org_id: UUID
    sort: Literal["plan", "value"]
    source: GivenAs
    key: str
    value: int | None
    seats: int | None
    valid_until: datetime | None


class Held(msgspec.Struct, frozen=True):
    """A plan that an organization is on, for one reason."""

    source: Literal["grant", "subscription", "trial"]
    plan: str
    plan_version: int
    seats: int | None
    valid_until: datetime | None


class Reason(msgspec.Struct, frozen=True):
    """One thing that was given for a feature or limit, and whether it counts."""

    source: Source
    value: int | None
    valid_until: datetime | None
    counts: bool = True


class Entitlement(msgspec.Struct, frozen=True):
    """What an organization has of one feature or limit. No value is no limit; of a feature it is 1 or 0."""

    feature_key: str
    kind: Literal["feature", "limit"]
    value: int | None
    source: Source
    valid_until: datetime | None
    reasons: tuple[Reason, ...]


class Taking(msgspec.Struct, frozen=True):
    """What is taken of a limit that allows so many: how many there were, and are with what is added."""

    limit: str
    before: int
    after: int
    allowed: int


class Entitled(msgspec.Struct, frozen=True):
    """The plan of an organization, why and until when it is on it, and its own values beside it."""

    catalogue: Catalogue
    plan: Plan
    holding: GivenAs | None
    seats: int | None
    valid_until: datetime | None
    given: tuple[Given, ...] = ()

    def __iter__(self) -> Iterator[Entitlement]:
        keys = [*self.catalogue.features, *self.catalogue.limits, *(row.key for row in self.given)]
        return (self[key] for key in dict.fromkeys(keys))

    def __getitem__(self, key: str) -> Entitlement:
        reasons = self._reasons(key)
        last = next(reason for reason in reversed(reasons) if reason.counts)
        kind: Literal["feature", "limit"] = "limit" if key in self.catalogue.limits else "feature"
        value = _settled(reasons) if kind == "limit" else max(reason.value or 0 for reason in reasons if reason.counts)
        return Entitlement(key, kind, value, last.source, last.valid_until, reasons)

    def has(self, feature: str) -> bool:
        """Whether a feature may be used."""
        return bool(self[feature].value)

    def limit(self, key: str) -> int | None:
        """How much of something there may be; None without end."""
        return self[key].value if key in self.catalogue.limits else None

    def room(self, key: str) -> int | None:
        """How much of a thing there may come to be; None without end. Of seats those that can still be bought too."""
        return self.room_for_seats if key == SEATS else self.limit(key)

    @property
    def room_for_seats(self) -> int | None:
        """How many seats may be taken; None without end.

        Where bought seats grow, more than were bought, up to the most that the plan sells.
        """
        bought, terms = self.limit(SEATS), self.plan.seats
        grows = self.holding != "grant" and self.seats is not None and terms is not None and terms.grow
        if bought is None or terms is None or not grows:
            return bought
        reasons = self._reasons(SEATS)
        grown = (replace(reasons[0], value=terms.most), *reasons[1:])
        most = _settled(grown)
        # who bought more than the plan file sells by now has what they bought
        return None if most is None else max(bought, most)

    def _reasons(self, key: str) -> tuple[Reason, ...]:
        own = [row for row in self.given if row.key == key]
        replaced = any(row.source == "override" for row in own)
        reasons = [Reason(self._source, self._of_plan(key), self.valid_until, counts=not replaced)]
        for row in sorted(own, key=lambda row: row.source == "add_on"):
            reasons.append(Reason("add_on" if row.source == "add_on" else "override", row.value, row.valid_until))
        return tuple(reasons)

    @property
    def _source(self) -> Source:
        return "trial" if self.holding == "trial" else "plan"

    def _of_plan(self, key: str) -> int | None:
        if key not in self.catalogue.limits:
            return int(self.plan.has(key))
        return self.seats if key == SEATS and self.seats is not None else self.plan.limits.get(key)


def _settled(reasons: Iterable[Reason]) -> int | None:
    """What is given adds up; one that has no end makes the sum endless."""
    values = [reason.value for reason in reasons if reason.counts]
    return None if None in values else sum(value for value in values if value is not None)


def entitled(catalogue: Catalogue, given: Iterable[Given]) -> Entitled:
    """What these rows make of the plan file; a plan that is in it no more counts as none."""
    rows = tuple(given)
    values = tuple(row for row in rows if row.sort == "value")
    held = sorted((row for row in rows if row.sort == "plan"), key=lambda row: HOLDINGS.index(row.source))
    for row in held:
        if plan := catalogue.plan(row.key, row.value or 1):
            return Entitled(catalogue, plan, row.source, row.seats, row.valid_until, values)
    return Entitled(catalogue, catalogue.fallback, None, None, None, values)
