"""The rules of trying again: the schedule, what an endpoint asks for, breaks, and how much at a time."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantry.webhooks.models import spelled
from tenantry.webhooks.sending.pace import (
    BREAKS_AFTER,
    JITTER,
    LONGEST_ASKED,
    LONGEST_BREAK,
    LONGEST_QUIET,
    SCHEDULE,
    SLOW,
    WIDEST_WINDOW,
    asked_for,
    quiet_after,
    wait_after,
    window_after,
)
from tenantry.webhooks.sending.signing import signature

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_the_schedule_is_the_promised_one() -> None:
    assert SCHEDULE == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert round(sum(SCHEDULE) / 3600, 1) == 75.6


@given(tries=st.integers(1, len(SCHEDULE) - 1))
def test_each_wait_is_the_schedules_give_or_take_a_fifth(tries: int) -> None:
    wait = wait_after(tries)
    assert wait is not None
    assert SCHEDULE[tries] * (1 - JITTER) <= wait <= SCHEDULE[tries] * (1 + JITTER)


def test_after_the_last_there_is_none() -> None:
    assert wait_after(len(SCHEDULE)) is None
    assert wait_after(len(SCHEDULE), asked=10.0) is None


@given(tries=st.integers(1, len(SCHEDULE) - 1), asked=st.floats(0, LONGEST_ASKED))
def test_nothing_comes_before_it_was_asked_for(tries: int, asked: float) -> None:
    wait = wait_after(tries, asked)
    assert wait is not None
    assert wait >= asked


def test_what_failed_together_does_not_come_back_together() -> None:
    assert len({wait_after(3) for _ in range(50)}) > 40


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0), ("120", 120), (" 7 ", 7), ("999999", LONGEST_ASKED), ("-1", None), ("1.5", None), ("soon", None),
        ("", None), ("٣", None), ("9" * 5000, None), (None, None),
        (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120),
        (format_datetime(NOW - timedelta(minutes=2), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=400), usegmt=True), LONGEST_ASKED),
        ("Fri, 99 Foo 2026 03:04:05 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_a_date_and_else_passed_over(said: str | None, seconds: float | None) -> None:
    assert asked_for(said, NOW) == seconds


@given(said=st.text(max_size=60))
def test_no_retry_after_breaks_the_sender(said: str) -> None:
    found = asked_for(said, NOW)
    assert found is None or 0 <= found <= LONGEST_ASKED


def test_a_few_failures_make_no_break_and_many_an_ever_longer_one() -> None:
    assert [quiet_after(failures) for failures in range(BREAKS_AFTER)] == [None] * BREAKS_AFTER
    breaks = [quiet_after(BREAKS_AFTER + more) or 0.0 for more in range(60)]
    assert 4 <= breaks[0] <= 5
    assert breaks[3] > breaks[0]
    assert max(breaks) <= LONGEST_BREAK


def test_who_asks_for_rest_has_it_for_an_hour_at_most() -> None:
    assert quiet_after(1, 30.0) == 30.0
    assert quiet_after(1, LONGEST_ASKED) == LONGEST_QUIET


def test_a_window_opens_with_each_soon_answer_and_halves_with_each_other() -> None:
    window = 4
    for _ in range(100):
        window = window_after(window, good=True, took=0.01)
    assert window == WIDEST_WINDOW
    assert window_after(64, good=False, took=0.01) == 32
    assert window_after(64, good=True, took=SLOW) == 32
    assert window_after(1, good=False, took=15) == 1


def test_the_standards_own_vector() -> None:
    secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    plain = base64.b64decode(secret)
    body = b'{"test": 2432232314}'
    signed = signature(plain, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert spelled(plain).reveal() == f"whsec_{secret}"
