"""Rotation of refresh tokens: a lost answer logs nobody out, and a stolen token is noticed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tenantry.foundation.security.rotation import GRACE, Generation, Rotation, decide

THEN = datetime(2026, 11, 22, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return THEN + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("presented", "seconds", "used", "outcome"),
    [
        (5, 0, False, Rotation.ROTATE),
        (5, 10_000, False, Rotation.ROTATE),
        (5, 10_000, True, Rotation.ROTATE),
        (4, 0, False, Rotation.SAME_SUCCESSOR),
        (4, 10, False, Rotation.SAME_SUCCESSOR),
        (4, -10, False, Rotation.SAME_SUCCESSOR),
        (4, 10.001, False, Rotation.KILL),
        (4, -10.001, False, Rotation.KILL),
        (4, 0, True, Rotation.KILL),
        (3, 0, False, Rotation.KILL),
        (0, 0, False, Rotation.KILL),
        (6, 0, False, Rotation.NOT_ISSUED),
        (6, 0, True, Rotation.NOT_ISSUED),
    ],
)
def test_each_generation_means_one_thing(presented: int, seconds: float, used: bool, outcome: Rotation) -> None:
    assert decide(presented, Generation(5, THEN, used), now=at(seconds)) is outcome


def test_without_grace_only_the_newest_counts() -> None:
    row = Generation(5, THEN)
    assert decide(4, row, now=at(0.001), grace=timedelta(0)) is Rotation.KILL


def test_forty_parallel_refreshes_give_one_successor_and_no_logout() -> None:
    row = Generation(0, at(-60))
    outcomes = []
    for turn in range(40):
        outcome = decide(0, row, now=at(turn / 40))
        outcomes.append(outcome)
        if outcome is Rotation.ROTATE:
            row = Generation(1, at(turn / 40))
    assert outcomes == [Rotation.ROTATE] + [Rotation.SAME_SUCCESSOR] * 39
    assert row.counter == 1


class Session(RuleBasedStateMachine):
    """One session as the server keeps it, a client whose answers may get lost, and a thief with its token."""

    @initialize()
    def log_in(self) -> None:
        self.row, self.now, self.alive = Generation(0, THEN), THEN, True
        self.client, self.thief = 0, None
        self.asked_at: datetime | None = None
        self.given = {0}

    def present(self, counter: int) -> int | None:
        """The successor's counter as the answer carries it, or nothing when the session is dead."""
        outcome = decide(counter, self.row, now=self.now) if self.alive else Rotation.KILL
        if outcome is Rotation.ROTATE:
            self.row = Generation(counter + 1, self.now)
        if outcome in (Rotation.KILL, Rotation.NOT_ISSUED):
            self.alive = False
            return None
        self.given.add(self.row.counter)
        return self.row.counter

    @rule(seconds=st.sampled_from([0.1, 3, 9.9, 10.1, 300]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(lost=st.booleans())
    def the_client_refreshes(self, lost: bool) -> None:
        was_alive, before = self.alive, self.now
        answer = self.present(self.client)
        waited = before - self.asked_at if self.asked_at else timedelta(0)
        if was_alive and self.thief is None and waited <= GRACE:
            assert answer is not None, "an honest client that retries in time is never logged out"
        self.asked_at = self.asked_at or before
        if answer is not None and not lost:
            self.client, self.asked_at = answer, None

    @rule()
    def a_thief_copies_the_token(self) -> None:
        self.thief = self.client

    @precondition(lambda self: self.thief is not None)
    @rule()
    def the_thief_refreshes(self) -> None:
        answer = self.present(self.thief)
        self.thief = self.thief if answer is None else answer

    @precondition(lambda self: self.alive)
    @rule(older=st.integers(2, 5))
    def an_ancestor_kills_at_any_time(self, older: int) -> None:
        if self.row.counter >= older:
            assert decide(self.row.counter - older, self.row, now=self.now) is Rotation.KILL

    @invariant()
    def each_generation_was_handed_out_in_turn(self) -> None:
        assert self.given == set(range(self.row.counter + 1))

    @invariant()
    def two_who_hold_different_generations_cannot_both_go_on(self) -> None:
        # The older of the two is at most one behind and only for the grace, or its next use ends the session.
        if not self.alive or self.thief is None or self.thief == self.client:
            return
        older = min(self.thief, self.client)
        late = self.now - self.row.rotated_at > GRACE
        if late or older < self.row.counter - 1:
            assert decide(older, self.row, now=self.now) is Rotation.KILL


Session.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
test_a_session_survives_lost_answers_and_notices_theft = Session.TestCase


@pytest.mark.parametrize("pause", [10.5, 60, 3600])
@pytest.mark.parametrize("thief_first", [True, False])
def test_a_thief_and_a_victim_taking_turns_are_noticed_at_the_first_step_after_the_grace(
    pause: float, thief_first: bool
) -> None:
    row, now, held = Generation(3, THEN), THEN, {"thief": 3, "victim": 3}
    turns = ("thief", "victim") if thief_first else ("victim", "thief")
    for step in range(10):
        who = turns[step % 2]
        now += timedelta(seconds=pause)
        outcome = decide(held[who], row, now=now)
        if outcome is Rotation.KILL:
            assert step == 1
            return
        row = Generation(row.counter + 1, now)
        held[who] = row.counter
    pytest.fail("the theft went unnoticed")


def test_a_token_two_generations_old_kills_inside_the_grace() -> None:
    row = Generation(0, THEN)
    for moment in (0.5, 1.0):
        assert decide(row.counter, row, now=at(moment)) is Rotation.ROTATE
        row = Generation(row.counter + 1, at(moment))
    assert decide(0, row, now=at(1.5)) is Rotation.KILL
