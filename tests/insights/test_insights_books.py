"""The books of what is paid by the month: each change is a movement of one sort, whatever else is true meanwhile."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

from tenantry.admin.models.insights import Books, Standing, monthly

DAY, ORG = date(2026, 5, 4), UUID(int=1)


def _sub(number: int, amount: int, status: str = "active", name: str = "sub_1", **more: str) -> Standing:
    return Standing(ORG, name, number, status, "team", more.get("currency", "eur"), amount, more.get("doubles"))


def _moved(*rows: Standing, paid: bool = False) -> dict[tuple[str, str], int]:
    books = Books((), (ORG,) if paid else ())
    for row in rows:
        books.put(DAY, row)
    return {(one.sort, one.currency): amount for one, amount in books.movements.items()}


@pytest.mark.parametrize(
    ("unit_amount", "quantity", "interval", "amount"),
    [
        (1299, 3, "month", 3897),
        (1200, 1, "year", 100),
        (1205, 1, "year", 100),
        (1206, 1, "year", 101),
        # once for all seats: three times 0.5 is 1.5, and not three times 1
        (6, 3, "year", 2),
        (100, 1, "week", 433),
        (10, 1, "day", 304),
        (700, 2, None, 1400),
        (0, 9, "year", 0),
    ],
)
def test_a_month_is_a_year_divided_by_twelve(unit_amount: int, quantity: int, interval: str, amount: int) -> None:
    assert monthly(unit_amount, quantity, interval) == amount


def test_each_change_is_a_movement() -> None:
    assert _moved(_sub(1, 500)) == {("new", "eur"): 500}
    assert _moved(_sub(1, 500), _sub(2, 800)) == {("new", "eur"): 500, ("expansion", "eur"): 300}
    assert _moved(_sub(1, 500), _sub(2, 100)) == {("new", "eur"): 500, ("contraction", "eur"): -400}
    assert _moved(_sub(1, 500), _sub(2, 500, "canceled")) == {("new", "eur"): 500, ("churn", "eur"): -500}
    assert _moved(_sub(1, 500), _sub(2, 0, "unpaid"), _sub(3, 500)) == {
        ("new", "eur"): 500, ("churn", "eur"): -500, ("reactivation", "eur"): 500,
    }  # fmt: skip


def test_who_paid_before_comes_back_and_is_not_new() -> None:
    assert _moved(_sub(1, 500, name="sub_2"), paid=True) == {("reactivation", "eur"): 500}


def test_a_missing_payment_is_no_churn_and_a_trial_brings_nothing() -> None:
    assert _moved(_sub(1, 500), _sub(2, 500, "past_due")) == {("new", "eur"): 500}
    assert _moved(_sub(1, 500, "trialing"), _sub(2, 500, "incomplete")) == {}


def test_another_currency_ends_one_payment_and_begins_another() -> None:
    moved = _moved(_sub(1, 500), _sub(2, 600, currency="usd"))
    assert moved == {("new", "eur"): 500, ("churn", "eur"): -500, ("reactivation", "usd"): 600}


def test_old_news_changes_nothing() -> None:
    assert _moved(_sub(7, 500), _sub(6, 900)) == {("new", "eur"): 500}


def test_a_double_does_not_count_until_the_older_one_is_over() -> None:
    double = _sub(2, 500, name="sub_2", doubles="sub_1")
    assert _moved(_sub(1, 500), double) == {("new", "eur"): 500}
    assert _moved(_sub(1, 500), double, _sub(3, 0, "canceled")) == {("new", "eur"): 500}


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (("trialing", "active"), ["trials_started", "trials_converted"]),
        (("trialing", "trialing", "canceled"), ["trials_started", None, "trials_ended"]),
        (("active", "past_due"), [None, None]),
    ],
)
def test_a_trial_starts_and_becomes_a_payment_or_ends(statuses: tuple[str, ...], told: list[str | None]) -> None:
    books = Books((), ())
    assert [books.put(DAY, _sub(number, 5, status)) for number, status in enumerate(statuses)] == told


def test_what_is_purged_leaves_the_books() -> None:
    books = Books((), ())
    books.put(DAY, _sub(1, 500))
    books.forget(ORG)
    assert (dict(books.movements), books.changed, books.known(ORG, "sub_1")) == ({}, {}, None)
