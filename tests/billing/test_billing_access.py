"""What each status of a subscription lets an organization do, at each moment that makes a difference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tenantry.billing.models import Access, Policy, Subscription, access, course, settle_duplicates, subscriptions
from tenantry.billing.stripe import shapes

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
POLICY = Policy(grace_days=14, settle_hours=48)


def _subscription(status: str, **more: Any) -> Subscription:
    usual: dict[str, Any] = {
        "id": "sub_1", "customer_id": "cus_1", "plan_key": "pro", "plan_version": "1", "price_id": "price_1",
        "item_id": "si_1", "quantity": 1, "period_start": NOW - 20 * DAY, "period_end": NOW + 10 * DAY,
        "trial_end": None, "cancel_at": None, "cancel_at_period_end": False, "ended_at": None,
        "past_due_since": None, "latest_invoice_id": None, "collection_paused": False, "collection_resumes_at": None,
        "created_at": NOW - 100 * DAY,
    }  # fmt: skip
    return Subscription(status=status, **usual | more)


END = NOW + 10 * DAY
CASES: list[tuple[str, dict[str, Any], datetime, Access]] = [
    ("active", {}, NOW, Access("plan", "paid")),
    # the notice of a renewal is late: whoever has paid is not shut out
    ("active", {}, END + 5 * DAY, Access("plan", "paid")),
    ("active", {"cancel_at_period_end": True}, NOW, Access("plan", "cancelling", END)),
    ("active", {"cancel_at_period_end": True}, END - TICK, Access("plan", "cancelling", END)),
    ("active", {"cancel_at_period_end": True}, END, Access("free", "canceled")),
    ("active", {"cancel_at_period_end": True, "period_end": None}, NOW, Access("plan", "paid")),
    ("active", {"cancel_at": NOW + DAY}, NOW, Access("plan", "cancelling", NOW + DAY)),
    ("active", {"cancel_at": NOW + DAY, "cancel_at_period_end": True}, NOW, Access("plan", "cancelling", NOW + DAY)),
    ("active", {"cancel_at": NOW}, NOW, Access("free", "canceled")),
    ("active", {"collection_paused": True}, NOW, Access("plan", "collection_paused")),
    (
        "active",
        {"collection_paused": True, "collection_resumes_at": NOW + DAY},
        NOW,
        Access("plan", "collection_paused", NOW + DAY),
    ),
    ("trialing", {"trial_end": NOW + DAY}, NOW, Access("plan", "trial", NOW + DAY)),
    ("trialing", {"trial_end": None}, NOW, Access("plan", "trial")),
    ("trialing", {"trial_end": NOW}, NOW, Access("plan", "trial", NOW)),
    ("trialing", {"trial_end": NOW - 2 * DAY + TICK}, NOW, Access("plan", "trial", NOW - 2 * DAY + TICK)),
    ("trialing", {"trial_end": NOW - 2 * DAY}, NOW, Access("restricted", "trial_over")),
    ("trialing", {"trial_end": END, "cancel_at_period_end": True}, END, Access("free", "canceled")),
    ("trialing", {"trial_end": END, "cancel_at": NOW + DAY}, NOW, Access("plan", "trial", NOW + DAY)),
    ("past_due", {"past_due_since": NOW}, NOW, Access("plan", "grace", NOW + 14 * DAY)),
    ("past_due", {"past_due_since": NOW - 13 * DAY}, NOW, Access("plan", "grace", NOW + DAY)),
    ("past_due", {"past_due_since": NOW - 14 * DAY + TICK}, NOW, Access("plan", "grace", NOW + TICK)),
    ("past_due", {"past_due_since": NOW - 14 * DAY}, NOW, Access("restricted", "past_due")),
    ("past_due", {"past_due_since": NOW - 15 * DAY}, NOW, Access("restricted", "past_due")),
    ("past_due", {"period_start": NOW - DAY}, NOW, Access("plan", "grace", NOW + 13 * DAY)),
    ("past_due", {"period_start": None}, NOW, Access("restricted", "past_due")),
    ("past_due", {"past_due_since": NOW, "cancel_at_period_end": True}, NOW, Access("plan", "grace", END)),
    ("past_due", {"past_due_since": NOW, "cancel_at_period_end": True}, END, Access("free", "canceled")),
    ("unpaid", {}, NOW, Access("restricted", "unpaid")),
    ("paused", {}, NOW, Access("restricted", "paused")),
    ("incomplete", {}, NOW, Access("free", "incomplete")),
    ("incomplete_expired", {}, NOW, Access("free", "incomplete_expired")),
    ("canceled", {}, NOW, Access("free", "canceled")),
    ("canceled", {"cancel_at_period_end": True}, NOW, Access("free", "canceled")),
    ("something_new", {}, NOW, Access("restricted", "unknown_status")),
    ("", {}, NOW, Access("restricted", "unknown_status")),
]


@pytest.mark.parametrize(("status", "more", "now", "expected"), CASES, ids=lambda part: str(part)[:60])
def test_a_status_at_a_moment_opens_what_it_is_to(
    status: str, more: dict[str, Any], now: datetime, expected: Access
) -> None:
    assert access(_subscription(status, **more), now, POLICY) == expected


@pytest.mark.parametrize(("status", "more", "now", "_"), CASES, ids=lambda part: str(part)[:60])
def test_what_time_alone_will_change_is_known_beforehand(
    status: str, more: dict[str, Any], now: datetime, _: Access
) -> None:
    row = _subscription(status, **more)
    ahead = course(row, now, POLICY)
    assert ahead.now == access(row, now, POLICY)
    change = ahead.changes_at or now + 60 * DAY
    before = [now + part * (change - TICK - now) / 50 for part in range(51)]
    assert {access(row, moment, POLICY).level for moment in before} == {ahead.now.level}
    if ahead.changes_at is not None:
        assert access(row, change, POLICY).level == ahead.then != ahead.now.level


def test_a_restriction_says_since_when() -> None:
    due = _subscription("past_due", past_due_since=NOW - 20 * DAY)
    assert course(due, NOW, POLICY).since == NOW - 6 * DAY
    assert course(_subscription("unpaid"), NOW, POLICY).now.level == "restricted"


def test_every_status_of_stripes_is_in_the_table() -> None:
    known = {"active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"}
    assert known <= {status for status, *_ in CASES}


def test_nobody_who_pays_nothing_has_more_than_the_free_plan() -> None:
    assert access(None, NOW, POLICY) == Access("free", "no_subscription")


def test_a_grace_of_no_days_is_none() -> None:
    due = _subscription("past_due", past_due_since=NOW)
    assert access(due, NOW, Policy(grace_days=0)).level == "restricted"


@pytest.mark.parametrize(
    ("told", "end"),
    [
        ('"items":{"data":[{"id":"si","price":{"id":"p"},"current_period_end":5}]},"current_period_end":9', 5),
        ('"items":{"data":[{"id":"si","price":{"id":"p"}}]},"current_period_end":9', 9),
        ('"items":{"data":[]},"current_period_end":9', 9),
        ('"items":{"data":[]}', None),
        (
            '"items":{"data":[{"id":"a","price":{"id":"p"},"current_period_end":7},'
            '{"id":"b","price":{"id":"q"},"current_period_end":6}]}',
            6,
        ),
    ],
)
def test_the_end_of_a_period_is_found_wherever_a_version_of_stripe_says_it(told: str, end: int | None) -> None:
    text = '{"id":"sub_1","customer":"cus_1","status":"active","created":1,' + told + "}"
    row = subscriptions.as_kept(msgspec.json.decode(text, type=shapes.Subscription), None, fetched=1)
    assert row.period_end == (None if end is None else datetime.fromtimestamp(end, UTC))


def test_grace_begins_with_the_first_unpaid_invoice_and_not_anew_with_the_next() -> None:
    def told(status: str, invoice_at: int) -> shapes.Subscription:
        invoice = shapes.Invoice(
            "in_1", "eur", invoice_at - 3600, status_transitions=shapes.Transitions(finalized_at=invoice_at)
        )
        return shapes.Subscription("sub_1", "cus_1", status, 1, shapes.Listed([]), latest_invoice=invoice)

    first = subscriptions.as_kept(told("past_due", 1000), None, fetched=1)
    assert first.past_due_since == datetime.fromtimestamp(1000, UTC)
    assert subscriptions.as_kept(told("past_due", 5000), first, fetched=2).past_due_since == first.past_due_since
    recovered = subscriptions.as_kept(told("active", 5000), first, fetched=2)
    assert recovered.past_due_since is None
    assert subscriptions.as_kept(told("past_due", 9000), recovered, fetched=3).past_due_since == datetime.fromtimestamp(
        9000, UTC
    )


def test_of_live_subscriptions_the_oldest_counts_whatever_order_they_are_seen_in() -> None:
    old, new = _subscription("active", id="sub_old"), _subscription("active", id="sub_new", created_at=NOW)
    waiting = _subscription("incomplete", id="sub_waiting", created_at=NOW - 200 * DAY)
    over = _subscription("canceled", id="sub_over", created_at=NOW - 300 * DAY)
    expected = {"sub_old": None, "sub_new": "sub_old"}
    assert settle_duplicates([new, over, old, waiting]) == settle_duplicates([waiting, old, new, over]) == expected
    assert settle_duplicates([over, waiting]) == {}


def test_what_is_unpaid_is_not_restricted_since_its_trial() -> None:
    row = _subscription("unpaid", trial_end=NOW - timedelta(days=400))
    assert course(row, NOW, POLICY).since is None
