"""Subscriptions of the local Stripe: first payment, trial, renewal, dunning, the ends that there are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tenantry.testing.stripe import Rules
from tenantry.testing.stripe.periods import after, end_of

DAY = 86_400


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_the_31st_comes_back_after_a_short_month() -> None:
    anchor = _at("2026-01-31T10:00")
    assert after(anchor, 1, "month") == _at("2026-02-28T10:00")
    assert end_of(anchor, _at("2026-02-28T10:00"), "month", 1) == _at("2026-03-31T10:00")
    assert end_of(_at("2024-02-29T00:00"), _at("2027-02-28T00:00"), "year", 1) == _at("2028-02-29T00:00")


async def test_a_first_payment_makes_an_active_subscription_and_tells_of_it(world) -> None:
    subscription = await world.subscription(quantity=3)
    item = subscription["items"].data[0]
    assert (subscription.status, item.quantity) == ("active", 3)
    assert item.current_period_end > item.current_period_start
    invoice = (await world.invoices(subscription))[0]
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == ("paid", 3000, "subscription_create")
    heard = await world.heard()
    assert heard.index("customer.subscription.created") < heard.index("invoice.paid")
    updated = world.listener.events[-1]
    assert updated.type == "customer.subscription.updated"
    assert updated.data.previous_attributes["status"] == "incomplete"


@pytest.mark.parametrize(("card", "code"), [("pm_card_chargeCustomerFail", "generic_decline"),
                                            ("pm_card_authenticationRequired", "authentication_required")])  # fmt: skip
async def test_a_refused_first_payment_leaves_nothing_if_that_was_asked(world, card: str, code: str) -> None:
    price, customer = await world.price(), await world.customer(card)
    events = len(world.local.books.kinds["event"])
    given = {"customer": customer.id, "items": [{"price": price.id}], "payment_behavior": "error_if_incomplete"}
    error = await world.refused(lambda s: s.subscriptions.create(given))
    assert (error.http_status, error.error.decline_code) == (402, code)
    assert not world.local.books.kinds["subscription"]
    assert not world.local.books.kinds["invoice"]
    assert len(world.local.books.kinds["event"]) == events


async def test_an_incomplete_subscription_is_active_once_paid_and_expires_after_a_day(world) -> None:
    customer = await world.customer("pm_card_chargeCustomerFail")
    paid, unpaid = [await world.subscription(customer=customer) for _ in range(2)]
    assert paid.status == "incomplete"
    world.local.accept(customer.id)
    await world.do(lambda s: s.invoices.pay(paid.latest_invoice))
    assert (await world.now(paid)).status == "active"
    await world.local.advance(hours=24)
    assert (await world.now(unpaid)).status == "incomplete_expired"
    assert (await world.invoices(unpaid))[0].status == "void"
    assert (await world.now(paid)).status == "active"


async def test_a_period_is_renewed_with_an_hour_of_draft(world) -> None:
    subscription = await world.subscription()
    end = subscription["items"].data[0].current_period_end
    await world.local.advance(seconds=end - world.local.clock.now())
    assert (await world.now(subscription))["items"].data[0].current_period_start == end
    assert [one.status for one in await world.invoices(subscription)] == ["draft", "paid"]
    await world.local.advance(hours=1)
    newest = (await world.invoices(subscription))[0]
    assert (newest.status, newest.billing_reason, newest.amount_paid) == ("paid", "subscription_cycle", 1000)


async def test_a_year_of_months_passes_in_one_step(world) -> None:
    subscription = await world.subscription()
    await world.local.advance(days=366)
    assert [one.status for one in await world.invoices(subscription)] == ["paid"] * 13


async def test_a_trial_warns_ends_and_bills(world) -> None:
    subscription = await world.subscription(trial_period_days=14)
    assert (subscription.status, (await world.invoices(subscription))[0].total) == ("trialing", 0)
    await world.local.advance(days=11)
    assert (await world.heard()).count("customer.subscription.trial_will_end") == 1
    await world.local.advance(days=3, hours=2)
    assert (await world.now(subscription)).status == "active"
    assert [one.amount_paid for one in await world.invoices(subscription)] == [1000, 0]


@pytest.mark.parametrize(("behavior", "status"), [("cancel", "canceled"), ("pause", "paused"),
                                                  ("create_invoice", "past_due")])  # fmt: skip
async def test_a_trial_without_a_card_ends_as_its_settings_say(world, behavior: str, status: str) -> None:
    customer = await world.customer("")
    settings = {"end_behavior": {"missing_payment_method": behavior}}
    subscription = await world.subscription(customer=customer, trial_period_days=1, trial_settings=settings)
    await world.local.advance(days=1, hours=2)
    assert (await world.now(subscription)).status == status


async def test_a_paused_subscription_resumes_with_a_card(world) -> None:
    customer = await world.customer("")
    settings = {"end_behavior": {"missing_payment_method": "pause"}}
    subscription = await world.subscription(customer=customer, trial_period_days=1, trial_settings=settings)
    await world.local.advance(days=2)
    method = await world.do(lambda s: s.payment_methods.attach("pm_card_visa", {"customer": customer.id}))
    await world.do(lambda s: s.subscriptions.update(subscription.id, {"default_payment_method": method.id}))
    resumed = await world.do(lambda s: s.subscriptions.resume(subscription.id, {"billing_cycle_anchor": "now"}))
    assert resumed.status == "active"
    assert "customer.subscription.resumed" in await world.heard()


async def test_a_declined_renewal_is_retried_and_then_cancelled(world) -> None:
    subscription = await world.subscription()
    world.local.decline(subscription.customer, "insufficient_funds")
    await world.local.advance(seconds=subscription["items"].data[0].current_period_end - world.local.clock.now() + 3600)
    attempts = []
    for days in (2, 5, 7, 7):
        invoice = (await world.invoices(subscription))[0]
        attempts.append(((await world.now(subscription)).status, invoice.attempt_count))
        assert invoice.next_payment_attempt == world.local.clock.now() + days * DAY
        await world.local.advance(days=days)
    assert attempts == [("past_due", 1), ("past_due", 2), ("past_due", 3), ("past_due", 4)]
    ended = await world.now(subscription)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")
    heard = await world.heard()
    assert heard.count("invoice.payment_failed") == 5
    assert "customer.subscription.deleted" in heard


async def test_a_retry_that_is_paid_makes_the_subscription_active_again(world) -> None:
    subscription = await world.subscription()
    world.local.decline(subscription.customer)
    await world.local.advance(days=32)
    assert (await world.now(subscription)).status == "past_due"
    world.local.accept(subscription.customer)
    await world.local.advance(days=3)
    assert (await world.now(subscription)).status == "active"
    assert (await world.invoices(subscription))[0].attempt_count == 2


async def test_an_account_may_leave_it_unpaid_after_dunning(world) -> None:
    world.local.books.rules = Rules(after_dunning="unpaid")
    subscription = await world.subscription()
    world.local.decline(subscription.customer)
    await world.local.advance(days=31 + 22)
    assert (await world.now(subscription)).status == "unpaid"
    await world.local.advance(days=31)
    assert (await world.invoices(subscription))[0].status == "draft"


async def test_paying_by_hand_is_a_card_error_that_counts_when_declined(world) -> None:
    subscription = await world.subscription()
    world.local.decline(subscription.customer)
    await world.local.advance(days=32)
    invoice = (await world.invoices(subscription))[0]
    error = await world.refused(lambda s: s.invoices.pay(invoice.id))
    assert error.http_status == 402
    assert (await world.invoices(subscription))[0].attempt_count == invoice.attempt_count + 1
    card = await world.do(lambda s: s.payment_methods.attach("pm_card_mastercard", {"customer": subscription.customer}))
    world.local.accept(card.id)
    await world.do(lambda s: s.invoices.pay(invoice.id, {"payment_method": card.id}))
    assert (await world.now(subscription)).status == "active"


async def test_a_subscription_ends_with_its_period_unless_that_is_taken_back(world) -> None:
    customer = await world.customer()
    going, staying = [await world.subscription(customer=customer) for _ in range(2)]
    for one in (going, staying):
        await world.do(lambda s, one=one: s.subscriptions.update(one.id, {"cancel_at_period_end": True}))
    await world.do(lambda s: s.subscriptions.update(staying.id, {"cancel_at_period_end": False}))
    assert (await world.now(going)).cancel_at == going["items"].data[0].current_period_end
    await world.local.advance(days=32)
    assert ((await world.now(going)).status, (await world.now(staying)).status) == ("canceled", "active")
    living = await world.do(lambda s: s.subscriptions.list({"customer": customer.id}))
    assert [one.id for one in living.data] == [staying.id]
    everything = await world.do(lambda s: s.subscriptions.list({"customer": customer.id, "status": "all"}))
    assert len(everything.data) == 2


async def test_a_cancelled_subscription_is_terminal_and_its_unused_time_can_be_credited(world) -> None:
    subscription = await world.subscription()
    await world.local.advance(days=15)
    ended = await world.do(lambda s: s.subscriptions.cancel(subscription.id, {"prorate": True, "invoice_now": True}))
    assert ended.status == "canceled"
    credit = (await world.invoices(subscription))[0]
    assert -520 < credit.total < -450
    customer = await world.do(lambda s: s.customers.retrieve(subscription.customer))
    assert customer.balance == credit.total
    assert (await world.refused(lambda s: s.subscriptions.update(ended.id, {"description": "x"}))).http_status == 400


async def test_paused_collection_keeps_drafts_voids_or_writes_off(world) -> None:
    for behavior, status in (("keep_as_draft", "draft"), ("void", "void"), ("mark_uncollectible", "uncollectible")):
        subscription = await world.subscription()
        pause = {"pause_collection": {"behavior": behavior}}
        await world.do(lambda s, id_=subscription.id, pause=pause: s.subscriptions.update(id_, pause))
        await world.local.advance(days=32)
        assert (await world.invoices(subscription))[0].status == status
        assert (await world.now(subscription)).status == "active"


async def test_a_test_clock_moves_only_its_own_customers(world) -> None:
    start = world.local.clock.now()
    clock = await world.do(lambda s: s.test_helpers.test_clocks.create({"frozen_time": start}))
    price = await world.price()
    inside = await world.subscription(price, await world.customer(test_clock=clock.id))
    outside = await world.subscription(price)
    moved = {"frozen_time": start + 40 * DAY}
    await world.do(lambda s: s.test_helpers.test_clocks.advance(clock.id, moved))
    assert (await world.do(lambda s: s.test_helpers.test_clocks.retrieve(clock.id))).status == "ready"
    assert [len(await world.invoices(one)) for one in (inside, outside)] == [2, 1]


async def test_a_deleted_customer_has_no_living_subscription(world) -> None:
    subscription = await world.subscription()
    await world.do(lambda s: s.customers.delete(subscription.customer))
    assert (await world.now(subscription)).status == "canceled"
    heard = await world.heard()
    assert heard.index("customer.subscription.deleted") < heard.index("customer.deleted")


async def test_a_trial_that_is_extended_warns_and_ends_by_its_new_date(world) -> None:
    subscription = await world.subscription(trial_period_days=7)
    later = {"trial_end": world.local.clock.now() + 20 * DAY}
    for _ in range(2):
        await world.do(lambda s: s.subscriptions.update(subscription.id, later))
    await world.local.advance(days=8)
    assert (await world.now(subscription)).status == "trialing"
    assert len(await world.invoices(subscription)) == 1
    await world.local.advance(days=10)
    assert (await world.heard()).count("customer.subscription.trial_will_end") == 1
    await world.local.advance(days=3)
    assert (await world.now(subscription)).status == "active"


async def test_nothing_is_retried_after_a_cancellation(world) -> None:
    subscription = await world.subscription()
    world.local.decline(subscription.customer)
    await world.local.advance(days=32)
    await world.do(lambda s: s.subscriptions.cancel(subscription.id))
    world.local.accept(subscription.customer)
    await world.local.advance(days=30)
    invoice = (await world.invoices(subscription))[0]
    assert (invoice.status, invoice.attempt_count, invoice.next_payment_attempt) == ("open", 1, None)
