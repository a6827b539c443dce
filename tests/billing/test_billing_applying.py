"""What Stripe told becomes what Stripe answers when it is asked, whoever comes first and however often."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any
from uuid import UUID

import pytest
from billing_kit import (
    Asked,
    Gate,
    TinyStripe,
    customer_of,
    event,
    invoice,
    notice,
    of_subscription,
    org_uuid,
    subscription,
    subscription_row,
    tell,
)

from patience import until
from tenantry.billing import actions, exchanges, queries
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.forgetting import ForgettingWork, forget_some
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.work import SystemWork
from tenantry.testing import Installation, Team

SUB = "customer.subscription"


@pytest.fixture
async def team(billed: Installation) -> Team:
    return await billed.team()


@pytest.fixture
async def customer(billed: Installation, team: Team) -> str:
    return await customer_of(billed, team)


async def _told(house: Installation, kind: str, thing: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Tell something and let it be applied."""
    told = event(kind, thing, **more)
    assert (await tell(house, told)).status == 202
    await house.drain_jobs()
    return told


async def _again(house: Installation) -> None:
    """Let every job that waits for another attempt be tried now."""
    await house.rows("update tenantry.jobs set run_at = tenantry.now(), due = true where not due returning id")
    await house.drain_jobs()


def _call(house: Installation) -> Call:
    return Call(house.runtime, Actor("cli", name="a test"), "request-of-a-test")


async def test_what_is_kept_is_what_stripe_answers_and_not_what_it_told(
    billed: Installation, tiny: TinyStripe, team: Team, customer: str
) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer, "trialing", trial_end=1_700_500_000))
    told = await _told(billed, f"{SUB}.created", subscription("sub_1", customer, "canceled"))
    row = await subscription_row(billed, "sub_1")
    assert (row["org_id"], row["status"], row["quantity"]) == (org_uuid(team), "trialing", 3)
    assert (row["plan_key"], row["plan_version"], row["price_id"]) == ("pro", "1", "price_pro")
    assert row["period_end"].timestamp() == 1_702_592_000
    kept = await notice(billed, told)
    assert (kept["state"], kept["payload"], kept["attempts"]) == ("applied", None, 1)
    await billed.assert_recorded("billing.subscription_started", subscription="sub_1", status="trialing", plan="pro")


async def test_what_changes_is_recorded_once_and_what_does_not_is_not(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    for _ in range(3):
        await _told(billed, f"{SUB}.updated", {"id": "sub_1", "customer": customer})
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer, cancel_at_period_end=True))
    for _ in range(2):
        await _told(billed, f"{SUB}.updated", {"id": "sub_1", "customer": customer})
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer, "canceled", ended_at=1_700_001_000))
    for _ in range(2):
        await _told(billed, f"{SUB}.deleted", {"id": "sub_1", "customer": customer})
    assert len(await billed.recorded("billing.subscription_started")) == 1
    [changed] = await billed.recorded("billing.subscription_changed")
    assert (changed["fields"], changed["cancel_at_period_end"]) == (["cancel_at_period_end"], True)
    [ended] = await billed.recorded("billing.subscription_ended")
    assert ended["status"] == "canceled"


async def test_an_answer_to_an_earlier_question_comes_too_late(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    """Of two who ask at once the one that asked first may be answered last."""
    for one in (first := event(f"{SUB}.created", {"id": "sub_1"}), second := event(f"{SUB}.updated", {"id": "sub_1"})):
        await tell(billed, one)
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer, "active"))
    early = await exchanges.ask_truth(_call(billed), notice_id=first["id"])
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer, "past_due"))
    late = await exchanges.ask_truth(_call(billed), notice_id=second["id"])
    assert early is not None
    assert late is not None
    for begun, truth in (late, early):
        async with SystemWork(_call(billed), reason="a test") as work:
            await actions.apply_truth(work, begun=begun, truth=truth)
    assert (await subscription_row(billed, "sub_1"))["status"] == "past_due"
    assert len(await billed.recorded("billing.subscription_started")) == 1
    assert await billed.recorded("billing.subscription_changed") == []
    assert (await notice(billed, first))["state"] == (await notice(billed, second))["state"] == "applied"


async def test_of_two_who_apply_something_of_one_customer_the_second_waits(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    await tell(billed, event(f"{SUB}.created", {"id": "sub_1"}))
    waiting = "select from pg_locks where not granted and locktype = 'transactionid'"
    async with SystemWork(_call(billed), reason="a test") as work:
        await queries.org_of_customer_for_update(work, customer_id=customer)
        draining = asyncio.create_task(billed.drain_jobs())
        await until(lambda: billed.rows(waiting))
        assert await billed.rows("select from tenantry.subscriptions") == []
    await draining
    assert (await subscription_row(billed, "sub_1"))["status"] == "active"


async def test_a_notice_from_before_the_last_question_asks_nothing(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    backlog = [event(f"{SUB}.updated", {"id": "sub_1", "customer": customer}) for _ in range(10)]
    for one in backlog:
        await tell(billed, one)
    answered = await exchanges.ask_truth(_call(billed), notice_id=backlog[3]["id"])
    assert answered is not None
    async with SystemWork(_call(billed), reason="a test") as work:
        await actions.apply_truth(work, begun=answered[0], truth=answered[1])
    await billed.drain_jobs()
    assert tiny.count("subscriptions/sub_1") == 1
    states = await billed.rows("select distinct state from tenantry.stripe_notices")
    assert [row["state"] for row in states] == ["applied"]


async def test_no_connection_is_held_while_stripe_is_asked(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    gate = Gate()

    async def hold(_: Asked) -> None:
        await gate.wait()

    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    tiny.before = hold
    await tell(billed, event(f"{SUB}.created", {"id": "sub_1"}))
    draining = asyncio.create_task(billed.drain_jobs())
    async with asyncio.timeout(10):
        await gate.reached.wait()
    open_ones = await billed.rows(
        "select state from pg_stat_activity where state like 'idle in transaction' and datname = current_database()"
    )
    gate.open.set()
    await draining
    assert open_ones == []


async def test_a_customer_that_nobody_is_leaves_nothing_but_the_notice(billed: Installation, tiny: TinyStripe) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", "cus_of_nobody"))
    told = await _told(billed, f"{SUB}.created", {"id": "sub_1"})
    kept = await notice(billed, told)
    assert (kept["state"], kept["last_error"]) == ("orphaned", "no organization is this customer")
    assert await billed.rows("select from tenantry.subscriptions") == []
    assert await billed.rows("select from tenantry.dead_letters") == []


async def test_whose_it_is_is_said_by_the_stored_customer_and_by_nothing_that_came(
    billed: Installation, tiny: TinyStripe, team: Team, customer: str
) -> None:
    other = await billed.team("Other")
    thing = subscription("sub_1", "cus_of_nobody", metadata={"org_id": team.org, "customer": customer})
    tiny.has("subscriptions/sub_1", thing)
    await _told(billed, f"{SUB}.created", thing | {"customer": customer})
    assert await billed.rows("select from tenantry.subscriptions") == []
    tiny.has("subscriptions/sub_2", subscription("sub_2", customer, metadata={"org_id": other.org}))
    await _told(billed, f"{SUB}.created", {"id": "sub_2"})
    assert (await subscription_row(billed, "sub_2"))["org_id"] == org_uuid(team)


async def test_what_stripe_knows_no_more_is_over(billed: Installation, tiny: TinyStripe, customer: str) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    await _told(billed, f"{SUB}.created", {"id": "sub_1"})
    del tiny.things["subscriptions/sub_1"]
    await _told(billed, f"{SUB}.deleted", {"id": "sub_1", "customer": customer})
    assert (await subscription_row(billed, "sub_1"))["status"] == "canceled"
    await billed.assert_recorded("billing.subscription_ended", subscription="sub_1")
    told = await _told(billed, f"{SUB}.deleted", {"id": "sub_never_seen", "customer": customer})
    assert (await notice(billed, told))["state"] == "orphaned"


async def test_a_status_and_a_shape_that_nobody_knew_do_no_harm(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    bare = subscription("sub_1", customer, "dancing", items={"data": [], "has_more": False}, surprise={"a": [1]})
    tiny.has("subscriptions/sub_1", bare)
    await _told(billed, f"{SUB}.created", {"id": "sub_1"})
    row = await subscription_row(billed, "sub_1")
    assert (row["status"], row["price_id"], row["period_end"]) == ("dancing", None, None)


async def test_the_newer_of_two_live_subscriptions_doubles_the_older_in_either_order(
    billed: Installation, tiny: TinyStripe
) -> None:
    for number, order in enumerate((("old", "new"), ("new", "old"))):
        customer = await customer_of(billed, await billed.team(f"Team {number}"))
        old, new = f"sub_{number}_old", f"sub_{number}_new"
        tiny.has(f"subscriptions/{old}", subscription(old, customer, created=1_700_000_000))
        tiny.has(f"subscriptions/{new}", subscription(new, customer, created=1_700_000_999))
        for which in order:
            await _told(billed, f"{SUB}.created", {"id": f"sub_{number}_{which}"})
        assert (await subscription_row(billed, old))["duplicate_of"] is None
        assert (await subscription_row(billed, new))["duplicate_of"] == old
        await billed.assert_recorded("billing.subscription_doubled", subscription=new, doubles=old)
        tiny.has(f"subscriptions/{old}", subscription(old, customer, "canceled", created=1_700_000_000))
        await _told(billed, f"{SUB}.deleted", {"id": old})
        assert (await subscription_row(billed, new))["duplicate_of"] is None
    assert len(await billed.recorded("billing.subscription_doubled")) == 2


async def test_what_was_never_paid_for_keeps_no_place(billed: Installation, tiny: TinyStripe, customer: str) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer, "incomplete", created=1_699_999_999))
    tiny.has("subscriptions/sub_2", subscription("sub_2", customer))
    for which in ("sub_1", "sub_2"):
        await _told(billed, f"{SUB}.created", {"id": which})
    assert (await subscription_row(billed, "sub_2"))["duplicate_of"] is None
    assert await billed.recorded("billing.subscription_doubled") == []


async def test_an_invoice_that_cannot_be_paid_is_told_once_a_try_and_its_recovery_once(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    def stands(status: str, attempts: int, of: str) -> None:
        told = invoice("in_1", customer, status, attempt_count=attempts, **of_subscription("sub_1"))
        tiny.has("invoices/in_1", told)
        tiny.has("subscriptions/sub_1", subscription("sub_1", customer, of, latest_invoice=told))

    for attempts in (1, 1, 2):
        stands("open", attempts, "past_due")
        for kind in ("invoice.payment_failed", "invoice.updated"):
            await _told(billed, kind, {"id": "in_1", "customer": customer})
    failed = await billed.recorded("billing.payment_failed")
    assert [(one["attempts"], one["amount"], one["currency"]) for one in failed] == [(1, 5700, "eur"), (2, 5700, "eur")]
    row = await subscription_row(billed, "sub_1")
    assert (row["status"], row["past_due_since"].timestamp()) == ("past_due", 1_700_000_000)
    stands("paid", 3, "active")
    for kind in ("invoice.paid", "invoice.payment_succeeded"):
        await _told(billed, kind, {"id": "in_1", "customer": customer})
    [paid] = await billed.recorded("billing.invoice_paid")
    assert (paid["invoice"], paid["subscription"], paid["amount"]) == ("in_1", "sub_1", 5700)
    assert (await subscription_row(billed, "sub_1"))["past_due_since"] is None


async def test_a_payment_that_takes_its_time_has_not_failed(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    tiny.has("invoices/in_1", invoice("in_1", customer, "open", **of_subscription("sub_1")))
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer, "active"))
    await _told(billed, "invoice.finalized", {"id": "in_1"})
    assert await billed.recorded("billing.payment_failed") == []


async def test_the_same_invoice_under_two_event_ids_at_once_is_paid_once(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    tiny.has("invoices/in_1", invoice("in_1", customer))
    await asyncio.gather(*[tell(billed, event("invoice.paid", {"id": "in_1"})) for _ in range(8)])
    await asyncio.gather(*[billed.drain_jobs() for _ in range(3)])
    assert len(await billed.recorded("billing.invoice_paid")) == 1


async def test_money_that_goes_back_is_seen_at_the_invoice(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    tiny.has("invoices/in_1", invoice("in_1", customer))
    await _told(billed, "invoice.paid", {"id": "in_1"})
    charge = {"id": "ch_1", "amount_refunded": 1900, "disputed": True}
    tiny.has("payment_intents/pi_1", {"id": "pi_1", "customer": customer, "latest_charge": charge})
    tiny.has("invoice_payments", {"data": [{"id": "inpay_1", "invoice": "in_1", "status": "paid"}]})
    for kind in ("charge.refunded", "charge.dispute.created"):
        await _told(billed, kind, {"id": "x_1", "payment_intent": "pi_1"})
    await _told(billed, "invoice.updated", {"id": "in_1"})
    [row] = await billed.rows("select * from tenantry.invoices where id = 'in_1'")
    assert (row["refunded"], row["disputed"]) == (1900, True)
    assert len(await billed.recorded("billing.payment_reversed")) == 1


async def test_a_trial_that_ends_soon_is_told_once(billed: Installation, tiny: TinyStripe, customer: str) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer, "trialing", trial_end=1_700_500_000))
    await _told(billed, f"{SUB}.created", {"id": "sub_1"})
    assert await billed.recorded("billing.trial_ending") == []
    for _ in range(2):
        await _told(billed, f"{SUB}.trial_will_end", {"id": "sub_1"})
    assert len(await billed.recorded("billing.trial_ending")) == 1


async def test_a_trial_that_ends_soon_is_told_even_if_stripe_was_asked_since_for_something_else(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer, "trialing", trial_end=1_700_500_000))
    changed, ending = (event(f"{SUB}.{what}", {"id": "sub_1"}) for what in ("updated", "trial_will_end"))
    for told in (changed, ending):
        await tell(billed, told)
    answered = await exchanges.ask_truth(_call(billed), notice_id=changed["id"])
    assert answered is not None
    async with SystemWork(_call(billed), reason="a test") as work:
        await actions.apply_truth(work, begun=answered[0], truth=answered[1])
    await billed.drain_jobs()
    assert len(await billed.recorded("billing.trial_ending")) == 1


async def test_a_customer_that_is_deleted_at_stripe_is_known_to_be_gone(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    tiny.has(f"customers/{customer}", {"id": customer, "object": "customer", "deleted": True})
    for _ in range(2):
        await _told(billed, "customer.deleted", {"id": customer, "object": "customer"})
    [row] = await billed.rows("select gone_at from tenantry.stripe_customers where customer_id = $1", customer)
    assert row["gone_at"] is not None
    assert len(await billed.recorded("billing.customer_gone")) == 1


async def test_a_checkout_that_is_over_makes_room_for_the_next(
    billed: Installation, tiny: TinyStripe, team: Team, customer: str
) -> None:
    for session, status, state in (("cs_1", "complete", "done"), ("cs_2", "expired", "expired")):
        await billed.rows(
            "insert into tenantry.billing_intents (org_id, id, kind, params, state, foreign_id)"
            " values ($1, gen_random_uuid(), 'checkout', '{}', 'open', $2) returning id",
            org_uuid(team),
            session,
        )
        tiny.has(f"checkout/sessions/{session}", {"id": session, "status": status, "customer": customer})
        await _told(billed, "checkout.session.completed", {"id": session, "customer": customer})
        [row] = await billed.rows("select state from tenantry.billing_intents where foreign_id = $1", session)
        assert row["state"] == state
    assert [one["completed"] for one in await billed.recorded("billing.checkout_ended")] == [True, False]


async def test_a_poisoned_notice_is_a_dead_letter_and_the_others_go_on(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    tiny.has("subscriptions/sub_bad", subscription("sub_bad", customer, status=["what"]))
    poison = event(f"{SUB}.updated", {"id": "sub_bad"})
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    for told in (poison, *(event(f"{SUB}.updated", {"id": "sub_1"}) for _ in range(20))):
        await tell(billed, told)
    await billed.drain_jobs()
    while await billed.rows("select from tenantry.stripe_notices where state = 'waiting'"):
        # twenty at once may find the database busy, and come again
        await _again(billed)
    kept = await notice(billed, poison)
    assert (kept["state"], kept["payload"] is None) == ("failed", False)
    assert "unreadable" in kept["last_error"]
    [letter] = await billed.rows("select kind from tenantry.dead_letters")
    assert letter["kind"] == "billing.apply_notice"
    [rest] = await billed.rows("select count(*) as many from tenantry.stripe_notices where state = 'applied'")
    assert rest["many"] == 20


async def test_when_stripe_is_away_a_notice_waits_and_says_why(
    billed: Installation, tiny: TinyStripe, customer: str
) -> None:
    tiny.fails("subscriptions/sub_1", 503, type="api_error")
    told = await _told(billed, f"{SUB}.created", {"id": "sub_1"})
    kept = await notice(billed, told)
    assert (kept["state"], kept["attempts"]) == ("waiting", 1)
    assert "503" in kept["last_error"]
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    await _again(billed)
    kept = await notice(billed, told)
    assert (kept["state"], kept["attempts"], kept["last_error"]) == ("applied", 2, None)


async def test_any_order_with_duplicates_drops_and_failures_ends_in_what_stripe_has(
    billed: Installation, tiny: TinyStripe
) -> None:
    """The thing at Stripe is at the end of its life; what is told of it comes in any order, some of it never."""
    chance = random.Random(6)
    orders = list(itertools.permutations(("created", "updated", "paused", "resumed", "deleted")))
    team = await billed.team()
    customer = await customer_of(billed, team)
    expected = []
    for number, order in enumerate(chance.sample(orders, 24)):
        name = f"sub_{number}"
        tiny.has(f"subscriptions/{name}", subscription(name, customer, "canceled", created=1_700_000_000 + number))
        told = [event(f"{SUB}.{kind}", {"id": name, "customer": customer}) for kind in order]
        kept = [one for one in told if chance.random() < 0.8] or told[:1]
        for one in chance.sample(kept * 2, len(kept) * 2):
            await tell(billed, one)
        expected.append(name)
    tries = itertools.count()

    async def stumble(asked: Asked) -> None:
        number = asked.path.rpartition("_")[2]
        if next(tries) % 3 == 0:
            tiny.fails(asked.path, 500, type="api_error")
        else:
            name = f"sub_{number}"
            tiny.has(asked.path, subscription(name, customer, "canceled", created=1_700_000_000 + int(number)))

    tiny.before = stumble
    await billed.drain_jobs()
    for _ in range(5):
        await _again(billed)
    rows = await billed.rows("select id, status from tenantry.subscriptions order by created_at")
    assert [(row["id"], row["status"]) for row in rows] == [(name, "canceled") for name in expected]
    states = await billed.rows("select distinct state from tenantry.stripe_notices")
    assert [row["state"] for row in states] == ["applied"]
    assert len(await billed.recorded("billing.subscription_ended")) == len(expected)


async def test_what_stripe_told_is_forgotten_when_it_is_old(
    billed: Installation, tiny: TinyStripe, team: Team, customer: str
) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", "cus_of_nobody"))
    orphan = await _told(billed, f"{SUB}.created", {"id": "sub_1", "customer": "cus_of_nobody"})
    fresh = await _told(billed, f"{SUB}.updated", {"id": "sub_1", "customer": "cus_of_nobody"})
    old = "update tenantry.stripe_notices set received_at = tenantry.now() - $2::interval where id = $1 returning id"
    await billed.rows(old.replace("$2::interval", "interval '31 days'"), orphan["id"])
    await billed.ask(NewJob("billing.forget_notices"))
    await billed.drain_jobs()
    assert (await notice(billed, orphan))["payload"] is None
    assert (await notice(billed, fresh))["payload"] is not None
    await billed.rows(old.replace("$2::interval", "interval '401 days'"), orphan["id"])
    async with SystemWork(_call(billed), reason="a test") as work:
        assert await actions.sweep_notices(work, most=10) == 1
    assert [row["id"] for row in await billed.rows("select id from tenantry.stripe_notices")] == [fresh["id"]]


async def test_what_stripe_told_is_forgotten_with_the_organization(
    billed: Installation, tiny: TinyStripe, team: Team, customer: str
) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    tiny.has("invoices/in_1", invoice("in_1", customer))
    for kind, thing in ((f"{SUB}.created", "sub_1"), ("invoice.paid", "in_1")):
        await _told(billed, kind, {"id": thing, "customer": customer})
    other = await _told(billed, f"{SUB}.created", {"id": "sub_2", "customer": "cus_of_nobody"})
    async with ForgettingWork(_call(billed), reason="a test") as work:
        while await forget_some(work, org_uuid(team), most=1):
            pass
        await work.connection.execute("delete from tenantry.orgs where id = $1", org_uuid(team))
    for table in ("stripe_customers", "subscriptions", "invoices"):
        assert await billed.rows(f"select from tenantry.{table}") == [], table
    assert [row["id"] for row in await billed.rows("select id from tenantry.stripe_notices")] == [other["id"]]


async def test_a_member_sees_what_their_own_organization_pays_for_only(
    billed: Installation, tiny: TinyStripe, team: Team, customer: str
) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    await _told(billed, f"{SUB}.created", {"id": "sub_1"})
    look = "select (select count(*) from tenantry.subscriptions) + (select count(*) from tenantry.stripe_customers)"
    other = await billed.team("Other")
    assert await _seen(billed, org_uuid(team), look) == 2
    assert await _seen(billed, org_uuid(other), look) == 0


async def _seen(house: Installation, org: UUID, count: str) -> int:
    async with SystemWork(_call(house), reason="a test") as work:
        await work.connection.execute(f"set local role tenantry_app; set local tenantry.org = '{org}'")
        return int(await work.connection.fetchval(count))


async def test_money_that_went_back_is_kept_although_its_invoice_was_asked_for_since(
    billed: Installation, tiny: TinyStripe
) -> None:
    customer, call = await customer_of(billed, await billed.team()), Call(billed.runtime, Actor("cli"), "a-request")
    tiny.has("invoices/in_1", invoice("in_1", customer))
    await tell(billed, event("invoice.paid", {"id": "in_1"}))
    await billed.drain_jobs()
    charge = {"id": "ch_1", "amount_refunded": 1900, "disputed": True}
    tiny.has("payment_intents/pi_1", {"id": "pi_1", "customer": customer, "latest_charge": charge})
    tiny.has("invoice_payments", {"data": [{"id": "inpay_1", "invoice": "in_1", "status": "paid"}]})
    refunded = event("charge.refunded", {"id": "ch_1", "payment_intent": "pi_1"})
    updated = event("invoice.updated", {"id": "in_1"})
    for one in (refunded, updated):
        await tell(billed, one)
    early = await exchanges.ask_truth(call, notice_id=refunded["id"])
    late = await exchanges.ask_truth(call, notice_id=updated["id"])
    assert early is not None
    assert late is not None
    for begun, truth in (late, early):
        async with SystemWork(call, reason="a test") as work:
            await actions.apply_truth(work, begun=begun, truth=truth)
    await billed.drain_jobs()
    [row] = await billed.rows("select refunded, disputed from tenantry.invoices where id = 'in_1'")
    assert (row["refunded"], row["disputed"]) == (1900, True)
    assert len(await billed.recorded("billing.payment_reversed")) == 1


async def test_a_payment_that_took_its_time_and_failed_in_the_end_is_told(
    billed: Installation, tiny: TinyStripe
) -> None:
    customer = await customer_of(billed, await billed.team())
    told = invoice("in_1", customer, "open", **of_subscription("sub_1"))
    tiny.has("invoices/in_1", told)
    for status, kind in (("active", "invoice.finalized"), ("past_due", "invoice.payment_failed")):
        tiny.has("subscriptions/sub_1", subscription("sub_1", customer, status, latest_invoice=told))
        for _ in range(2):
            await tell(billed, event(kind, {"id": "in_1", "customer": customer}))
            await billed.drain_jobs()
    assert [one["attempts"] for one in await billed.recorded("billing.payment_failed")] == [1]
