"""Changes at the local Stripe: proration, preview, schedules, coupons, refunds, entitlements."""

from __future__ import annotations


def _item(subscription, **change) -> dict:
    return {"items": [{"id": subscription["items"].data[0].id, **change}]}


async def test_an_upgrade_credits_the_old_and_bills_the_new_for_the_rest(world) -> None:
    dear, subscription = await world.price(3000), await world.subscription()
    period = subscription["items"].data[0]
    await world.local.advance(days=10)
    change = {**_item(subscription, price=dear.id), "proration_behavior": "always_invoice"}
    await world.do(lambda s: s.subscriptions.update(subscription.id, change))
    invoice = (await world.invoices(subscription))[0]
    left = (period.current_period_end - world.local.clock.now()) / (
        period.current_period_end - period.current_period_start
    )
    assert [one.amount for one in invoice.lines.data] == [-round(1000 * left), round(3000 * left)]
    assert all(one.parent.invoice_item_details.proration for one in invoice.lines.data)
    assert (invoice.status, invoice.billing_reason) == ("paid", "subscription_update")
    after = (await world.now(subscription))["items"].data[0]
    assert (after.price.id, after.current_period_end) == (dear.id, period.current_period_end)


async def test_prorations_wait_for_the_next_invoice(world) -> None:
    subscription = await world.subscription()
    await world.local.advance(days=10)
    await world.do(lambda s: s.subscriptions.update(subscription.id, _item(subscription, quantity=4)))
    assert len(await world.invoices(subscription)) == 1
    await world.local.advance(days=22)
    invoice = (await world.invoices(subscription))[0]
    assert len(invoice.lines.data) == 3
    assert invoice.lines.data[-1].amount == 4000
    assert invoice.total > 4000


async def test_without_proration_the_new_quantity_costs_from_the_next_period(world) -> None:
    subscription = await world.subscription()
    change = {**_item(subscription, quantity=2), "proration_behavior": "none"}
    await world.do(lambda s: s.subscriptions.update(subscription.id, change))
    await world.local.advance(days=32)
    assert [one.total for one in await world.invoices(subscription)] == [2000, 1000]


async def test_a_change_to_years_begins_a_period_now(world) -> None:
    yearly, subscription = await world.price(10_000, "year"), await world.subscription()
    await world.local.advance(days=10)
    await world.do(lambda s: s.subscriptions.update(subscription.id, _item(subscription, price=yearly.id)))
    item = (await world.now(subscription))["items"].data[0]
    assert item.current_period_start == world.local.clock.now()
    invoice = (await world.invoices(subscription))[0]
    assert invoice.lines.data[0].amount < 0
    assert invoice.lines.data[1].amount == 10_000


async def test_a_declined_upgrade_changes_nothing_if_that_was_asked(world) -> None:
    dear, subscription = await world.price(3000), await world.subscription()
    await world.local.advance(days=10)
    world.local.decline(subscription.customer)
    change = {**_item(subscription, price=dear.id), "proration_behavior": "always_invoice"}
    error = await world.refused(
        lambda s: s.subscriptions.update(subscription.id, {**change, "payment_behavior": "error_if_incomplete"})
    )
    assert error.http_status == 402
    assert (await world.now(subscription)).to_dict() == subscription.to_dict()
    assert not world.local.books.kinds["invoiceitem"]


async def test_a_preview_says_what_will_be_billed_and_keeps_nothing(world) -> None:
    dear, subscription = await world.price(3000), await world.subscription()
    await world.local.advance(days=10)
    details = {**_item(subscription, price=dear.id, quantity=2), "proration_behavior": "always_invoice"}
    details["proration_date"] = world.local.clock.now()
    await world.heard()
    before = world.local.books.snapshot()
    asked = {"subscription": subscription.id, "subscription_details": details}
    preview = await world.do(lambda s: s.invoices.create_preview(asked))
    assert world.local.books.snapshot() == before
    await world.do(lambda s: s.subscriptions.update(subscription.id, details))
    assert (await world.invoices(subscription))[0].total == preview.total > 0


async def test_a_preview_without_a_change_is_the_next_renewal(world) -> None:
    subscription = await world.subscription(quantity=2)
    preview = await world.do(lambda s: s.invoices.create_preview({"subscription": subscription.id}))
    assert preview.total == 2000
    period = preview.lines.data[0].period
    assert period.start == subscription["items"].data[0].current_period_end
    await world.do(lambda s: s.subscriptions.update(subscription.id, {"cancel_at_period_end": True}))
    error = await world.refused(lambda s: s.invoices.create_preview({"subscription": subscription.id}))
    assert error.code == "invoice_upcoming_none"


async def test_a_preview_of_a_new_subscription_needs_none(world) -> None:
    price, customer = await world.price(), await world.customer("")
    details = {"items": [{"price": price.id, "quantity": 5}]}
    asked = {"customer": customer.id, "subscription_details": details}
    assert (await world.do(lambda s: s.invoices.create_preview(asked))).amount_due == 5000
    assert not world.local.books.kinds["subscription"]


async def test_a_downgrade_waits_for_the_end_of_the_period_in_a_schedule(world) -> None:
    cheap, subscription = await world.price(500), await world.subscription(quantity=2)
    item = subscription["items"].data[0]
    schedule = await world.do(lambda s: s.subscription_schedules.create({"from_subscription": subscription.id}))
    assert (await world.now(subscription)).schedule == schedule.id
    now = schedule.phases[0]
    phases = [
        {"items": [{"price": item.price.id, "quantity": 2}], "start_date": now.start_date, "end_date": now.end_date},
        {"items": [{"price": cheap.id, "quantity": 1}], "duration": {"interval": "month"}},
    ]
    await world.do(
        lambda s: s.subscription_schedules.update(schedule.id, {"phases": phases, "end_behavior": "release"})
    )
    assert (await world.now(subscription))["items"].data[0].price.id == item.price.id
    await world.local.advance(days=32)
    after = (await world.now(subscription))["items"].data[0]
    assert (after.price.id, after.quantity) == (cheap.id, 1)
    assert (await world.invoices(subscription))[0].total == 500
    await world.local.advance(days=31)
    assert (await world.do(lambda s: s.subscription_schedules.retrieve(schedule.id))).status == "released"
    assert (await world.now(subscription)).schedule is None


async def test_a_released_schedule_changes_nothing_any_more(world) -> None:
    subscription = await world.subscription()
    schedule = await world.do(lambda s: s.subscription_schedules.create({"from_subscription": subscription.id}))
    released = await world.do(lambda s: s.subscription_schedules.release(schedule.id))
    assert (released.status, released.released_subscription) == ("released", subscription.id)
    assert (await world.now(subscription)).schedule is None


async def test_a_schedule_can_end_its_subscription(world) -> None:
    price, customer = await world.price(), await world.customer()
    phase = {"items": [{"price": price.id}], "duration": {"interval": "month"}}
    given = {"customer": customer.id, "start_date": "now", "end_behavior": "cancel", "phases": [phase]}
    schedule = await world.do(lambda s: s.subscription_schedules.create(given))
    await world.local.advance(days=32)
    subscription = await world.do(lambda s: s.subscriptions.retrieve(schedule.subscription))
    assert subscription.status == "canceled"


async def test_a_coupon_takes_off_as_long_as_it_lasts(world) -> None:
    half = await world.do(
        lambda s: s.coupons.create({"percent_off": 50, "duration": "repeating", "duration_in_months": 2})
    )
    subscription = await world.subscription(discounts=[{"coupon": half.id}])
    await world.local.advance(days=95)
    assert [one.total for one in await world.invoices(subscription)] == [1000, 1000, 500, 500]
    shown = await world.do(lambda s: s.invoices.retrieve(subscription.latest_invoice))
    assert shown.total_discount_amounts[0].amount == 500


async def test_a_promotion_code_is_used_up(world) -> None:
    coupon = await world.do(lambda s: s.coupons.create({"amount_off": 300, "currency": "usd", "duration": "once"}))
    promotion = {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "WELCOME", "max_redemptions": 1}
    code = await world.do(lambda s: s.promotion_codes.create(promotion))
    first = await world.subscription(discounts=[{"promotion_code": code.id}])
    assert (await world.invoices(first))[0].total == 700
    price, customer = await world.price(), await world.customer()
    given = {"customer": customer.id, "items": [{"price": price.id}], "discounts": [{"promotion_code": code.id}]}
    assert (await world.refused(lambda s: s.subscriptions.create(given))).http_status == 400


async def test_a_refund_gives_back_no_more_than_was_paid(world) -> None:
    subscription = await world.subscription()
    payments = await world.do(lambda s: s.invoice_payments.list({"invoice": subscription.latest_invoice}))
    intent = payments.data[0].payment.payment_intent
    part = await world.do(lambda s: s.refunds.create({"payment_intent": intent, "amount": 400}))
    assert part.status == "succeeded"
    assert (
        await world.refused(lambda s: s.refunds.create({"payment_intent": intent, "amount": 601}))
    ).param == "amount"
    await world.do(lambda s: s.refunds.create({"payment_intent": intent}))
    charge = await world.do(lambda s: s.charges.retrieve(part.charge))
    assert (charge.refunded, charge.amount_refunded) == (True, 1000)
    error = await world.refused(lambda s: s.refunds.create({"payment_intent": intent}))
    assert error.code == "charge_already_refunded"


async def test_a_dispute_is_opened_and_decided_by_hand(world) -> None:
    await world.subscription()
    charge = next(iter(world.local.books.kinds["charge"]))
    dispute = world.local.dispute(charge, "fraudulent")
    assert (await world.do(lambda s: s.disputes.retrieve(dispute["id"]))).charge == charge
    world.local.close_dispute(dispute["id"], won=False)
    assert (await world.do(lambda s: s.disputes.list())).data[0].status == "lost"
    heard = await world.heard()
    assert {"charge.dispute.created", "charge.dispute.closed"} <= set(heard)


async def test_entitlements_follow_the_subscriptions(world) -> None:
    price = await world.price()
    given = {"lookup_key": "sso", "name": "Single sign-on"}
    feature = await world.do(lambda s: s.entitlements.features.create(given))
    await world.do(lambda s: s.products.features.create(price.product, {"entitlement_feature": feature.id}))
    subscription = await world.subscription(price)
    asked = {"customer": subscription.customer}
    active = await world.do(lambda s: s.entitlements.active_entitlements.list(asked))
    assert [one.lookup_key for one in active.data] == ["sso"]
    await world.do(lambda s: s.subscriptions.cancel(subscription.id))
    assert (await world.do(lambda s: s.entitlements.active_entitlements.list(asked))).data == []
    assert (await world.heard()).count("entitlements.active_entitlement_summary.updated") == 2
    assert (await world.refused(lambda s: s.entitlements.features.create(given))).param == "lookup_key"


async def test_an_invoice_of_ones_own_is_drawn_up_finalized_voided_and_written_off(world) -> None:
    customer = await world.customer()
    for verb, status in (("void_invoice", "void"), ("mark_uncollectible", "uncollectible"), ("pay", "paid")):
        item = {"customer": customer.id, "amount": 700, "currency": "usd", "description": "Setup"}
        await world.do(lambda s, item=item: s.invoice_items.create(item))
        draft = {"customer": customer.id, "pending_invoice_items_behavior": "include"}
        invoice = await world.do(lambda s, draft=draft: s.invoices.create(draft))
        assert (invoice.status, invoice.total) == ("draft", 700)
        await world.do(lambda s, id_=invoice.id: s.invoices.finalize_invoice(id_))
        await world.do(lambda s, id_=invoice.id, verb=verb: getattr(s.invoices, verb)(id_))
        assert (await world.do(lambda s, id_=invoice.id: s.invoices.retrieve(id_))).status == status
