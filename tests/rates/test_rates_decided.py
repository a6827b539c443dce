"""Decisions in one process: exact, all or nothing, told truly, and as a naive reference makes them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rates_kit import Naive, Seconds, passed, passes

from tenantry.foundation.security.limits import RateLimited
from tenantry.foundation.security.rates.counted import Policy, Rates

HOUR = timedelta(hours=1)
SIXTHS = st.integers(0, 6 * 90).map(lambda sixths: Fraction(sixths, 6))


async def test_of_fifty_at_once_exactly_ten_pass_where_ten_may() -> None:
    rates, ten = Rates(), Policy("ten", 10, HOUR)

    async def ask() -> bool:
        await asyncio.sleep(0)
        return passes(rates, ten)

    assert sum(await asyncio.gather(*(ask() for _ in range(50)))) == 10


@pytest.mark.parametrize("times", [1, 3, 7, 10, 13, 60, 600, 1200, 9973])
def test_all_turns_may_be_taken_at_once_and_not_one_more_whatever_their_number(times: int) -> None:
    clock = Seconds()
    assert passed(Rates(clock), Policy("many", times), 2 * times) == times


def test_each_turn_comes_back_after_its_share_of_the_time() -> None:
    clock, ten = Seconds(), Policy("ten", 10)
    rates = Rates(clock)
    assert passed(rates, ten, 11) == 10
    clock.advance(6)
    assert passed(rates, ten, 5) == 1
    clock.advance(30)
    assert passed(rates, ten, 9) == 5
    clock.advance(3600)
    assert passed(rates, ten, 99) == 10


def test_of_several_policies_all_are_taken_or_none() -> None:
    rates, narrow, wide = Rates(Seconds()), Policy("narrow", 3), Policy("wide", 10)
    both = [(wide, "ada"), (narrow, "ada")]
    assert [not rates.decide(both) for _ in range(5)] == [True] * 3 + [False] * 2
    assert passed(rates, wide, 20) == 7


def test_a_refusal_names_every_policy_that_is_spent_and_no_other() -> None:
    rates, first, second, free = Rates(Seconds()), Policy("first", 1), Policy("second", 2), Policy("free", 9)
    asked = [(first, "ada"), (free, "ada"), (second, "ada")]
    assert not rates.decide([(second, "ada")])
    assert not rates.decide(asked)
    refused = rates.decide(asked)
    assert {policy.name for policy in refused} == {"first", "second"}
    problem = RateLimited(spent=refused)
    assert problem.more["violated-policies"] == ["first", "second"]
    assert problem.headers["retry-after"] == "60"


def test_what_costs_more_takes_more_turns_and_what_costs_all_passes_only_when_all_are_there() -> None:
    clock, ten = Seconds(), Policy("ten", 10)
    rates = Rates(clock)
    assert passes(rates, ten, cost=7)
    assert not passes(rates, ten, cost=4)
    assert passes(rates, ten, cost=3)
    clock.advance(59)
    assert not passes(rates, ten, cost=99)
    clock.advance(1)
    # more than there ever is waits for all of it, and is owed
    assert passes(rates, ten, cost=20)
    clock.advance(60)
    assert not passes(rates, ten, cost=1)


def test_those_who_are_refused_wait_no_longer_than_if_they_had_not_asked() -> None:
    clock, ten = Seconds(), Policy("ten", 10)
    rates = Rates(clock)
    assert passed(rates, ten, 500) == 10
    clock.advance(6)
    assert passes(rates, ten)


def test_subjects_and_policies_are_counted_apart() -> None:
    rates, one, other = Rates(Seconds()), Policy("one", 1), Policy("other", 1)
    assert passed(rates, one, 2, "ada") == passed(rates, one, 2, "bob") == passed(rates, other, 2, "ada") == 1


def test_a_policy_that_allows_more_from_now_on_is_followed_at_once() -> None:
    clock = Seconds()
    rates = Rates(clock)
    assert passed(rates, Policy("org", 60), 99) == 60
    clock.advance(0.1)
    assert not passes(rates, Policy("org", 60))
    assert passes(rates, Policy("org", 6000))


def test_what_is_given_back_can_be_taken_again() -> None:
    rates, ten = Rates(Seconds()), Policy("ten", 10)
    assert passed(rates, ten, 10) == 10
    rates.give_back([(ten, "ada")])
    assert passed(rates, ten, 5) == 1


def test_a_clock_that_was_set_back_keeps_nobody_out_for_long() -> None:
    clock, ten = Seconds(), Policy("ten", 10)
    rates = Rates(clock)
    clock.advance(86_400)
    assert passed(rates, ten, 10) == 10
    clock.advance(-86_400)
    assert not passes(rates, ten)
    clock.advance(60)
    assert passes(rates, ten)


@settings(max_examples=60, deadline=None)
@given(
    times=st.integers(1, 40),
    steps=st.lists(st.tuples(SIXTHS.map(lambda pause: pause / 40), st.integers(1, 4)), max_size=60),
)
def test_waiting_as_long_as_was_told_is_enough_and_a_second_less_is_not(
    times: int, steps: list[tuple[Fraction, int]]
) -> None:
    clock, policy = Seconds(), Policy("some", times)
    rates = Rates(clock)
    for pause, cost in steps:
        clock.advance(float(pause))
        refused = rates.decide([(policy, "ada")], min(cost, times))
        if refused:
            wait = int(RateLimited(spent=refused).headers["retry-after"])
            before = clock.now
            if wait > 1:
                clock.advance(wait - 1.01)
                assert not passes(rates, policy, cost=min(cost, times))
            clock.now = before + wait
            assert passes(rates, policy, cost=min(cost, times))


@settings(max_examples=150, deadline=None)
@given(
    narrow=st.integers(1, 20),
    wide=st.integers(1, 60),
    steps=st.lists(st.tuples(SIXTHS, st.integers(1, 3), st.booleans()), max_size=80),
)
def test_random_requests_are_decided_as_a_naive_reference_decides_them(
    narrow: int, wide: int, steps: list[tuple[Fraction, int, bool]]
) -> None:
    """Moments are whole sixths of a second and gaps of an hour's share far from them: no rounding can matter."""
    clock, per = Seconds(), timedelta(seconds=60)
    clock.now = 0.0
    policies = Policy("narrow", narrow, per), Policy("wide", wide, per)
    rates, naive = Rates(clock), (Naive(narrow, per), Naive(wide, per))
    now = Fraction(0)
    for pause, cost, both in steps:
        now += pause
        clock.now = float(now)
        asked = list(zip(policies, naive, strict=True))[: 2 if both else 1]
        turns = min(cost, narrow, wide)
        expected = all(reference.fits(now, turns) for _, reference in asked)
        if expected:
            for _, reference in asked:
                reference.take(now, turns)
        assert (not rates.decide([(policy, "ada") for policy, _ in asked], turns)) is expected


@settings(max_examples=60, deadline=None)
@given(times=st.integers(1, 30), taken=st.integers(0, 40), later=st.floats(0, 90))
def test_what_is_said_to_be_left_can_be_taken_and_no_more(times: int, taken: int, later: float) -> None:
    clock, policy = Seconds(), Policy("some", times)
    rates = Rates(clock)
    passed(rates, policy, taken)
    clock.advance(later)
    [standing] = rates.standing([(policy, "ada")])
    assert 0 <= standing.left <= times
    assert (standing.seconds == 0) is (standing.left == times)
    clock.advance(standing.seconds)
    [then] = rates.standing([(policy, "ada")])
    # with some left it says when all are back, with none when there is one
    assert then.left == times if standing.left else then.left >= 1
    clock.advance(-standing.seconds)
    assert passed(rates, policy, standing.left + 1) == standing.left


def test_the_tightest_policy_is_told_first() -> None:
    rates, wide, narrow = Rates(Seconds()), Policy("wide", 100), Policy("narrow", 5)
    asked = [(wide, "ada"), (narrow, "ada")]
    rates.decide(asked)
    assert [one.policy.name for one in rates.standing(asked)] == ["narrow", "wide"]
    assert [one.text for one in rates.standing(asked)] == ['"narrow";r=4;t=12', '"wide";r=99;t=1']
