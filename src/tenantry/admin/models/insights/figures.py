"""Figures: what an operator is shown. Days are in UTC, and amounts in the currency's smallest unit."""

from __future__ import annotations

from datetime import date, datetime

import msgspec


class Count(msgspec.Struct, frozen=True):
    """What is measured, on a day: how often it happened, and to how many different people or organizations."""

    day: date
    measure: str
    times: int
    whose: int


class Total(msgspec.Struct, frozen=True):
    """The same in a span of days; whoever was there on several of them is one."""

    measure: str
    times: int
    whose: int


class Money(msgspec.Struct, frozen=True):
    """What organizations pay by the month in a currency, as a span of days began and ended, and what moved between.

    `churned` are the organizations that paid when it began and pay nothing now that it ended.
    """

    currency: str
    at_start: int
    at_end: int
    orgs_at_start: int
    orgs_at_end: int
    new: int
    expansion: int
    contraction: int
    churn: int
    reactivation: int
    churned: int


class OnPlan(msgspec.Struct, frozen=True):
    """How many organizations are subscribed to a plan now, in which status, and what they pay by the month."""

    plan: str | None
    status: str
    currency: str | None
    orgs: int
    monthly: int


class Cohort(msgspec.Struct, frozen=True):
    """Of those who signed up in a week, that of its Monday: how many were active so many weeks later."""

    week: date
    size: int
    weeks_later: int
    active: int


class Progress(msgspec.Struct, frozen=True):
    """How far a generation of insights has read the log: when it last moved, and how many events are ahead.

    More than a hundred thousand are not counted.
    """

    generation: int
    state: str
    moved_at: datetime
    ahead: int


class Insights(msgspec.Struct, frozen=True):
    """How the installation does, in a span of days; `read` says how far of the log is in it."""

    since: date
    until: date
    totals: list[Total]
    money: list[Money]
    plans: list[OnPlan]
    retention: list[Cohort]
    days: list[Count]
    read: list[Progress]
