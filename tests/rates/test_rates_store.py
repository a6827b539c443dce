"""Whom a process keeps count of: a flood of them neither fills its memory nor frees anybody."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from rates_kit import Seconds, passed, passes

from tenantry.foundation.security.rates import zone
from tenantry.foundation.security.rates.counted import Policy, Rates

TEN = Policy("ten", 10)
MOST = 400


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def rates(clock: Seconds) -> Rates:
    return Rates(clock, most=MOST)


def _kept(rates: Rates) -> int:
    zone = rates._zones[TEN.name]
    assert zone.untold.keys() <= zone.moments.keys()
    assert zone.due <= zone.moments.keys()
    return len(zone.moments)


def test_a_flood_of_subjects_takes_no_more_room_than_there_is(rates: Rates, clock: Seconds) -> None:
    for number in range(20 * MOST):
        clock.advance(0.01)
        assert passes(rates, TEN, f"passer-by {number}")
        assert _kept(rates) <= MOST + 1


def test_a_flood_frees_nobody_who_is_limited(rates: Rates, clock: Seconds) -> None:
    assert passed(rates, TEN, 11, "ada") == 10
    for number in range(20 * MOST):
        clock.advance(0.0001)
        passes(rates, TEN, f"passer-by {number}")
    assert not passes(rates, TEN, "ada")


def test_where_everybody_is_limited_newcomers_share_one_count_until_there_is_room(rates: Rates, clock: Seconds) -> None:
    for number in range(MOST):
        assert passed(rates, TEN, 11, f"heavy {number}") == 10
    assert sum(passes(rates, TEN, f"newcomer {number}") for number in range(50)) == 10
    assert _kept(rates) <= MOST + 1
    assert not any(passes(rates, TEN, f"heavy {number}") for number in range(MOST))
    clock.advance(61)
    assert sum(passes(rates, TEN, f"later {number}") for number in range(50)) == 50


def test_while_there_is_no_room_nobody_is_looked_through_again_for_each_newcomer(
    rates: Rates, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MOST):
        passed(rates, TEN, 10, f"heavy {number}")
    looks: list[object] = []

    def look(found: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
        looks.append(found)
        return sorted(found)

    monkeypatch.setattr(zone, "sorted", look, raising=False)
    for number in range(100):
        passes(rates, TEN, f"newcomer {number}")
    assert len(looks) == 1


def test_who_has_all_turns_is_let_go_by_and_by(rates: Rates, clock: Seconds) -> None:
    for number in range(100):
        passes(rates, TEN, f"passer-by {number}")
    assert passed(rates, TEN, 10, "ada") == 10
    clock.advance(30)
    rates.forget()
    assert _kept(rates) <= 101
    rates.take_due(1000)
    rates.forget()
    assert _kept(rates) == 1
    assert passed(rates, TEN, 9, "ada") == 5
