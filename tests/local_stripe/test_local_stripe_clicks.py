"""The pages of the local Stripe: checkout with its three buttons, an invoice, the portal, the desk."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tenantry.testing.stripe import LocalStripe, asgi

DONE = "https://app.example.com/done?session={CHECKOUT_SESSION_ID}"


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def _open(world, **more):
    price = more.pop("price", None) or await world.price()
    line_items = [{"price": price.id, "quantity": more.pop("quantity", 2)}]
    given = {
        "mode": "subscription",
        "line_items": line_items,
        "success_url": DONE,
        "cancel_url": "https://app.example.com/",
    }
    return await world.do(lambda s: s.checkout.sessions.create({**given, **more}))


async def _press(browser, url: str, **fields) -> tuple[int, str, str]:
    async with browser.post(url, data=fields, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()


async def _now(world, session):
    return await world.do(lambda s: s.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]}))


async def test_a_checkout_that_is_paid_becomes_a_subscription(world, browser) -> None:
    customer = await world.customer("", metadata={"org": "7"})
    session = await _open(world, customer=customer.id, client_reference_id="org-7", metadata={"org": "7"},
                          subscription_data={"metadata": {"org": "7"}})  # fmt: skip
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 2000)
    async with browser.get(session.url) as answer:
        text = await answer.text()
    assert answer.status == 200
    assert "Pro" in text
    assert 'href="https://app.example.com/"' in text
    status, location, _ = await _press(browser, session.url, card="visa")
    assert (status, location) == (303, DONE.replace("{CHECKOUT_SESSION_ID}", session.id))
    done = await _now(world, session)
    assert (done.status, done.payment_status, done.customer) == ("complete", "paid", customer.id)
    subscription = await world.do(lambda s: s.subscriptions.retrieve(done.subscription))
    assert (subscription.status, subscription.metadata["org"], done.url) == ("active", "7", None)
    heard = await world.heard()
    assert {"checkout.session.completed", "customer.subscription.created", "invoice.paid"} <= set(heard)
    assert (await _press(browser, session.url, card="visa"))[0] == 400
    assert len(world.local.books.kinds["subscription"]) == 1


async def test_a_declined_card_leaves_the_checkout_open(world, browser) -> None:
    session = await _open(world)
    status, _, text = await _press(browser, session.url, card="declined")
    assert status == 402
    assert "Your card was declined." in text
    assert (await _now(world, session)).status == "open"
    assert not world.local.books.kinds["subscription"]
    assert not world.local.books.kinds["customer"]


async def test_a_card_that_asks_for_authentication_pays_once_it_is_given(world, browser) -> None:
    session = await _open(world)
    status, _, text = await _press(browser, session.url, card="authenticationRequired")
    assert status == 402
    assert "Complete authentication" in text
    assert not world.local.books.kinds["subscription"]
    status, _, _ = await _press(browser, session.url, card="authenticationRequired", authenticated="yes")
    assert status == 303
    assert (await _now(world, session)).payment_status == "paid"


async def test_a_trial_can_start_without_a_card(world, browser) -> None:
    session = await _open(
        world, subscription_data={"trial_period_days": 14}, payment_method_collection="if_required",
        customer_email="ada@example.com",
    )  # fmt: skip
    assert (await _press(browser, session.url, card=""))[0] == 303
    done = await _now(world, session)
    assert done.payment_status == "no_payment_required"
    assert (await world.do(lambda s: s.subscriptions.retrieve(done.subscription))).status == "trialing"
    assert done.customer_details.email == "ada@example.com"


async def test_a_promotion_code_can_be_typed(world, browser) -> None:
    coupon = await world.do(lambda s: s.coupons.create({"percent_off": 25, "duration": "forever"}))
    promotion = {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "SPRING"}
    await world.do(lambda s: s.promotion_codes.create(promotion))
    session = await _open(world, allow_promotion_codes=True)
    assert (await _press(browser, session.url, card="visa", code="WINTER"))[0] == 400
    assert (await _press(browser, session.url, card="visa", code="spring"))[0] == 303
    assert (await _now(world, session)).amount_total == 1500


async def test_an_open_checkout_expires_by_time_or_by_hand(world, browser) -> None:
    first, second = await _open(world), await _open(world)
    await world.do(lambda s: s.checkout.sessions.expire(first.id))
    assert (await world.refused(lambda s: s.checkout.sessions.expire(first.id))).http_status == 400
    await world.local.advance(hours=25)
    assert [(await _now(world, one)).status for one in (first, second)] == ["expired", "expired"]
    assert (await world.heard()).count("checkout.session.expired") == 2
    assert (await _press(browser, f"{world.running.url}/checkout/{second.id}", card="visa"))[0] == 400


async def test_a_checkout_refuses_prices_and_quantities_that_are_not_for_sale(world) -> None:
    price = await world.price()
    await world.do(lambda s: s.prices.update(price.id, {"active": False}))
    line = {"mode": "subscription", "success_url": DONE}
    for items in ([{"price": price.id, "quantity": 1}], [{"price": "price_x", "quantity": 1}], []):
        given = {**line, "line_items": items}
        assert (await world.refused(lambda s, given=given: s.checkout.sessions.create(given))).http_status == 400
    good = await world.price()
    for quantity in (-1, 0, 10**9):
        given = {**line, "line_items": [{"price": good.id, "quantity": quantity}]}
        assert (await world.refused(lambda s, given=given: s.checkout.sessions.create(given))).http_status == 400


async def test_a_setup_checkout_keeps_a_card(world, browser) -> None:
    customer = await world.customer("")
    given = {"mode": "setup", "customer": customer.id, "success_url": DONE, "currency": "usd"}
    session = await world.do(lambda s: s.checkout.sessions.create(given))
    assert (await _press(browser, session.url, card="visa"))[0] == 303
    done = await _now(world, session)
    intent = await world.do(lambda s: s.setup_intents.retrieve(done.setup_intent, {"expand": ["payment_method"]}))
    assert (intent.status, intent.payment_method.customer) == ("succeeded", customer.id)


async def test_an_overdue_invoice_is_paid_on_its_page(world, browser) -> None:
    subscription = await world.subscription()
    world.local.decline(subscription.customer)
    await world.local.advance(days=32)
    invoice = (await world.invoices(subscription))[0]
    assert (await _press(browser, invoice.hosted_invoice_url))[0] == 402
    world.local.accept(subscription.customer)
    assert (await _press(browser, invoice.hosted_invoice_url, card="mastercard"))[0] == 303
    assert (await world.now(subscription)).status == "active"


async def test_the_portal_cancels_resumes_and_takes_another_card(world, browser) -> None:
    subscription = await world.subscription()
    given = {"customer": subscription.customer, "return_url": "https://app.example.com/billing"}
    session = await world.do(lambda s: s.billing_portal.sessions.create(given))
    async with browser.get(session.url) as answer:
        assert 'href="https://app.example.com/billing"' in await answer.text()
    for deed, wanted in (("cancel", True), ("resume", False)):
        assert (await _press(browser, session.url, deed=deed, subscription=subscription.id))[0] == 303
        assert (await world.now(subscription)).cancel_at_period_end is wanted
    assert (await _press(browser, session.url, deed="card", card="mastercard"))[0] == 303
    expand = {"expand": ["invoice_settings.default_payment_method"]}
    customer = await world.do(lambda s: s.customers.retrieve(subscription.customer, expand))
    assert customer.invoice_settings.default_payment_method.card.brand == "mastercard"
    other = await world.subscription()
    assert (await _press(browser, session.url, deed="cancel", subscription=other.id))[0] == 400
    assert (await world.now(other)).cancel_at_period_end is False


async def test_the_desk_shows_all_and_moves_time(world, browser) -> None:
    subscription = await world.subscription()
    async with browser.get(world.running.url + "/") as answer:
        text = await answer.text()
    assert subscription.id in text
    assert "customer.subscription.created" in text
    assert (await _press(browser, world.running.url + "/", deed="advance", seconds=str(32 * 86400)))[0] == 303
    assert len(await world.invoices(subscription)) == 2
    assert (await _press(browser, world.running.url + "/", deed="decline", customer=subscription.customer))[0] == 303
    assert (await _press(browser, world.running.url + "/", deed="mode", mode="drop"))[0] == 303
    assert world.local.deliveries.mode == "drop"


async def test_what_people_typed_is_never_html(world, browser) -> None:
    product = await world.do(lambda s: s.products.create({"name": "<script>alert(1)</script>"}))
    given = {"product": product.id, "currency": "usd", "unit_amount": 1, "recurring": {"interval": "month"}}
    price = await world.do(lambda s: s.prices.create(given))
    session = await _open(world, price=price)
    async with browser.get(session.url) as answer:
        assert not re.search("<script", await answer.text())


async def test_it_can_be_mounted_under_a_path() -> None:
    stripe = LocalStripe()
    application, sent = asgi(stripe, "/dev/stripe"), []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"localhost:8000"), (b"authorization", f"Bearer {stripe.secret_key}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/dev/stripe/v1/account", "query_string": b"", "headers": headers}
    await application(scope, receive, send)
    assert sent[0]["status"] == 200
    assert json.loads(sent[1]["body"])["object"] == "account"
    assert stripe.books.base_url == "http://localhost:8000/dev/stripe"
