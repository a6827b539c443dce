"""The plan file as values: features, limits, and the plans that have them, in all versions that somebody may be on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

ALL_FEATURES = "*"
KEY = r"^[a-z][a-z0-9_]{0,63}$"
MOST_VALUE = 2**53 - 1
"""The largest value of a limit: what a reader of JSON is sure to understand."""

Key = Annotated[str, Meta(pattern=KEY)]
FeatureKey = Annotated[str, Meta(pattern=rf"{KEY}|^\*$")]
Title = Annotated[str, Meta(min_length=1, max_length=80)]
Value = Annotated[int, Meta(ge=0, le=MOST_VALUE)]
Interval = Literal["month", "year"]


class OfThePlanFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the plan file; what it does not know is refused."""


class Price(OfThePlanFile, frozen=True):
    """What a plan costs an interval, in the smallest unit of a currency; for each seat, where it says so."""

    amount: Annotated[
        int, Meta(ge=0, le=99_999_999, description="In the smallest unit of the currency, such as cents.")
    ]
    currency: Annotated[str, Meta(pattern="^[a-z]{3}$", description="Three small letters, such as `eur`.")]
    interval: Annotated[Interval, Meta(description="What the amount is paid for.")] = "month"
    per_seat: Annotated[bool, Meta(description="Whether it is paid for each seat; needs `seats`.")] = False


class Seats(OfThePlanFile, frozen=True):
    """How many seats can be bought; whether an invite past them buys one more, or is refused."""

    least: Annotated[int, Meta(ge=1, description="Seats that are bought at least.")] = 1
    most: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Seats that can be bought at most; absent: any number.")
    ] = None
    grow: Annotated[bool, Meta(description="Whether an invite past what was bought buys one more.")] = False


class Plan(OfThePlanFile, frozen=True):
    """One version of a plan. A feature it does not name it has not; a limit it does not name it is free of.

    Past a limit that is `soft` it goes on, if the limit is one on a meter: what is more is counted as overage.
    """

    key: Annotated[Key, Meta(description="What the plan is called by programs; it stays the same in all versions.")]
    name: Annotated[Title, Meta(description="What people read.")]
    version: Annotated[
        int, Meta(ge=1, description="The highest of a key is sold; the others are for whoever has them.")
    ] = 1
    features: Annotated[tuple[FeatureKey, ...], Meta(description='What is in it; `"*"` is all there is.')] = ()
    limits: Annotated[
        Mapping[Key, Value], Meta(description="How much of what; a limit it does not name it is free of.")
    ] = {}
    prices: Annotated[
        tuple[Price, ...], Meta(description="One for each interval and currency; none: it is given, and not sold.")
    ] = ()
    seats: Annotated[
        Seats | None, Meta(description="How many seats can be bought; absent: it is not sold by seats.")
    ] = None
    trial_days: Annotated[int, Meta(ge=0, le=730, description="Days to try it before the first payment.")] = 0
    soft: Annotated[
        tuple[Key, ...], Meta(description="Limits on meters past which it goes on; what is more is counted as overage.")
    ] = ()

    def has(self, feature: str) -> bool:
        """Whether a feature is in it."""
        return ALL_FEATURES in self.features or feature in self.features


class Catalogue(OfThePlanFile, frozen=True):
    """The plan file: what each feature and limit is called, the plans, and the one of whoever has no other."""

    default: Annotated[Key, Meta(description="The plan of whoever has no other.")]
    plans: Annotated[
        tuple[Plan, ...], Meta(min_length=1, description="The plans, in the order in which they are shown.")
    ]
    features: Annotated[Mapping[Key, Title], Meta(description="Every feature, and what people call it.")] = {}
    limits: Annotated[Mapping[Key, Title], Meta(description="Every limit, and what people call it.")] = {}

    @property
    def fallback(self) -> Plan:
        """The plan of whoever has no other."""
        return self.latest[self.default]

    @property
    def decides(self) -> bool:
        """Whether all are entitled to the same, whatever they were given: one plan, and nothing that could differ."""
        return len(self.plans) == 1 and not self.features and not self.limits

    @property
    def latest(self) -> dict[str, Plan]:
        """The newest version of each plan, which is the one that is sold, in the file's order."""
        found: dict[str, Plan] = {}
        for plan in self.plans:
            if plan.key not in found or found[plan.key].version < plan.version:
                found[plan.key] = plan
        return found

    def plan(self, key: str, version: int) -> Plan | None:
        """A plan in a version, or in its newest one where that is in the file no more."""
        exact = next((plan for plan in self.plans if (plan.key, plan.version) == (key, version)), None)
        return exact or self.latest.get(key)

    def faults(self) -> Iterator[str]:
        """What does not fit together in it, a sentence each."""
        if self.default not in self.latest:
            yield f"default: there is no plan {self.default}"
        if both := sorted(self.features.keys() & self.limits.keys()):
            yield f"{both[0]} is both a feature and a limit"
        named = Counter((plan.key, plan.version) for plan in self.plans)
        yield from (f"{key} version {version} is there twice" for (key, version), times in named.items() if times > 1)
        for plan in self.plans:
            yield from (f"{plan.key} version {plan.version}: {fault}" for fault in self._faults_of(plan))

    def _faults_of(self, plan: Plan) -> Iterator[str]:
        yield from (
            f"{key} is not among the features" for key in plan.features if key not in {*self.features, ALL_FEATURES}
        )
        yield from (f"{key} is not among the limits" for key in plan.limits if key not in self.limits)
        yield from (f"{key} is soft, and is not limited" for key in plan.soft if key not in plan.limits)
        sold = Counter((price.interval, price.currency) for price in plan.prices)
        yield from (f"two prices a {interval} in {currency}" for (interval, currency), n in sold.items() if n > 1)
        if plan.seats is not None and plan.seats.most is not None and plan.seats.most < plan.seats.least:
            yield "seats: the most is less than the least"
        if plan.seats is None and any(price.per_seat for price in plan.prices):
            yield "a price for each seat, and no seats"


EVERYTHING = Catalogue(default="free", plans=(Plan(key="free", name="Free", features=(ALL_FEATURES,)),))
"""Where there is no plan file: one plan, free, without limits."""
