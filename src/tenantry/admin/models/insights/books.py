"""Books of what organizations pay by the month: each subscription's last standing, and what moved when it changed.

Amounts are in the currency's smallest unit. What an organization pays by the month is the sum of its movements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

Sort = Literal["new", "expansion", "contraction", "churn", "reactivation"]
Trial = Literal["trials_started", "trials_converted", "trials_ended"]
PAYS = frozenset(("active", "past_due"))
"""Statuses in which a subscription brings something; a trial and one that is not paid for good bring nothing."""
OVER = frozenset(("canceled", "incomplete_expired"))
"""Statuses that nothing comes after."""
_PAYMENTS_A_YEAR: Mapping[str, int] = {"day": 365, "week": 52, "month": 12, "year": 1}


def monthly(unit_amount: int, quantity: int, interval: str | None) -> int:
    """What a price brings by the month: a year's payments divided by twelve, a half rounded up, once for all seats."""
    return (unit_amount * quantity * _PAYMENTS_A_YEAR.get(interval or "month", 12) + 6) // 12


class Standing(msgspec.Struct, frozen=True):
    """A subscription as the log left it; `number` is that of the last event about it."""

    org_id: UUID
    subscription: str
    number: int
    status: str
    plan: str | None = None
    currency: str | None = None
    monthly: int = 0
    doubles: str | None = None


class Movement(msgspec.Struct, frozen=True):
    """On which day which organization's payments moved, and how."""

    org_id: UUID
    day: date
    sort: Sort
    currency: str


class Books:
    """Some organizations' standings, and what moved since they were opened."""

    def __init__(self, standings: Iterable[Standing], paid: Iterable[UUID]) -> None:
        """`paid` are the organizations that ever paid."""
        self._orgs: dict[UUID, dict[str, Standing]] = {}
        for one in standings:
            self._orgs.setdefault(one.org_id, {})[one.subscription] = one
        self._paid = set(paid)
        self.changed: dict[tuple[UUID, str], Standing] = {}
        self.movements: Counter[Movement] = Counter()

    def known(self, org_id: UUID, subscription: str) -> Standing | None:
        """A subscription as it stands."""
        return self._orgs.get(org_id, {}).get(subscription)

    def put(self, day: date, row: Standing) -> Trial | None:
        """Let a subscription stand so, unless something later is known; what that is for its trial, if anything."""
        known = self.known(row.org_id, row.subscription)
        if known is not None and known.number > row.number:
            return None
        mine = self._orgs.setdefault(row.org_id, {})
        before = _totals(mine)
        mine[row.subscription] = row
        self.changed[row.org_id, row.subscription] = row
        self._move(day, row.org_id, before, _totals(mine))
        return _trial(None if known is None else known.status, row.status)

    def forget(self, org_id: UUID) -> None:
        """An organization is purged: nothing of it is left here."""
        self._orgs.pop(org_id, None)
        self._paid.discard(org_id)
        self.changed = {key: row for key, row in self.changed.items() if key[0] != org_id}
        self.movements = Counter({one: amount for one, amount in self.movements.items() if one.org_id != org_id})

    def _move(self, day: date, org_id: UUID, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        for currency in sorted(before.keys() | after.keys()):
            was, now = before.get(currency, 0), after.get(currency, 0)
            if was != now:
                sort = _sort(was, now, paid=org_id in self._paid)
                self.movements[Movement(org_id, day, sort, currency)] += now - was
        if any(after.values()):
            self._paid.add(org_id)


def _totals(standings: Mapping[str, Standing]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for one in standings.values():
        if one.status in PAYS and one.currency is not None and not _is_doubled(one, standings):
            found[one.currency] += one.monthly
    return dict(found)


def _is_doubled(one: Standing, others: Mapping[str, Standing]) -> bool:
    older = others.get(one.doubles or "")
    return older is not None and older.status not in OVER | {"incomplete", ""}


def _sort(was: int, now: int, *, paid: bool) -> Sort:
    if was == 0:
        return "reactivation" if paid else "new"
    if now == 0:
        return "churn"
    return "expansion" if now > was else "contraction"


def _trial(was: str | None, now: str) -> Trial | None:
    if now == "trialing":
        return None if was == "trialing" else "trials_started"
    if was != "trialing":
        return None
    return "trials_converted" if now in PAYS else "trials_ended"
