"""Every object of the local Stripe has the shape that the SDK's own types give it."""

from __future__ import annotations

import aiohttp
import pytest
import stripe
from shapes_of_the_sdk import class_of, faults

KINDS = {
    "account", "billing_portal.configuration", "billing_portal.session", "charge", "checkout.session", "coupon",
    "customer", "discount", "dispute", "entitlements.active_entitlement", "entitlements.feature", "event", "invoice",
    "invoice_payment", "invoiceitem", "payment_intent", "payment_method", "price", "product", "product_feature",
    "promotion_code", "refund", "setup_intent", "subscription", "subscription_item", "subscription_schedule", "tax_id",
    "test_helpers.test_clock", "webhook_endpoint",
}  # fmt: skip


async def _live(world) -> None:
    """Do a little of everything."""
    price, dear = await world.price(lookup_key="pro"), await world.price(3000)
    feature = await world.do(lambda s: s.entitlements.features.create({"lookup_key": "sso", "name": "SSO"}))
    await world.do(lambda s: s.products.features.create(price.product, {"entitlement_feature": feature.id}))
    coupon = await world.do(lambda s: s.coupons.create({"percent_off": 10, "duration": "forever"}))
    promotion = {"promotion": {"type": "coupon", "coupon": coupon.id}}
    code = await world.do(lambda s: s.promotion_codes.create(promotion))
    clock = await world.do(lambda s: s.test_helpers.test_clocks.create({"frozen_time": world.local.clock.now()}))
    customer = await world.customer(test_clock=clock.id, address={"country": "DE", "line1": "Weg 1"})
    tax_id = {"type": "eu_vat", "value": "DE123456789"}
    await world.do(lambda s: s.customers.tax_ids.create(customer.id, tax_id))
    discounts = [{"promotion_code": code.id}]
    subscription = await world.subscription(price, customer, discounts=discounts, trial_period_days=7)
    item = subscription["items"].data[0]
    await world.do(lambda s: s.subscriptions.update(subscription.id, {"trial_end": "now"}))
    await world.do(lambda s: s.subscriptions.update(subscription.id, {"items": [{"id": item.id, "quantity": 2}]}))
    await world.do(lambda s: s.subscription_schedules.create({"from_subscription": subscription.id}))
    await world.do(lambda s: s.subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void"}}))
    await world.do(lambda s: s.setup_intents.create({"customer": customer.id, "payment_method": "pm_card_visa"}))
    portal = await world.do(lambda s: s.billing_portal.sessions.create({"customer": customer.id}))
    async with aiohttp.ClientSession() as browser:
        await browser.post(portal.url, data={"deed": "card", "card": "authenticationRequired"})
        await _check_out(world, browser, dear)
    failing = await world.subscription(dear, await world.customer("pm_card_chargeCustomerFail"))
    assert failing.status == "incomplete"
    await world.subscription(dear, await world.customer("pm_card_authenticationRequired"))
    charge = next(one for one in world.local.books.kinds["charge"].values() if one["paid"])
    await world.do(lambda s: s.refunds.create({"charge": charge["id"], "amount": 1}))
    world.local.dispute(charge["id"])
    await world.local.advance(days=40)


async def _check_out(world, browser, price) -> None:
    given = {
        "mode": "subscription",
        "line_items": [{"price": price.id, "quantity": 1}],
        "success_url": "https://a.example",
    }
    session = await world.do(lambda s: s.checkout.sessions.create(given))
    await browser.post(session.url, data={"card": "visa", "email": "a@example.com"}, allow_redirects=False)
    await world.do(lambda s: s.checkout.sessions.create(given))


async def test_every_object_has_the_shape_that_the_sdk_gives_it(world) -> None:
    await _live(world)
    books, wrong = world.local.books, set()
    made = {kind for kind, things in books.kinds.items() if things}
    assert made == KINDS - {"account"}
    for kind in made:
        for thing in books.kinds[kind].values():
            wrong |= {f"{kind}{fault}" for fault in faults(thing, class_of(kind))}
    assert not sorted(wrong)


async def test_what_is_made_for_one_answer_has_its_shape_too(world) -> None:
    subscription, key = await world.subscription(), {"Authorization": f"Bearer {world.running.secret_key}"}
    expand = "expand[]=subscriptions&expand[]=tax_ids"
    paths = {
        "account": "account",
        f"customers/{subscription.customer}?{expand}": "customer",
        f"invoices/{subscription.latest_invoice}?expand[]=payments&expand[]=confirmation_secret": "invoice",
    }
    async with aiohttp.ClientSession(world.running.url, headers=key) as session:
        for path, kind in paths.items():
            async with session.get(f"/v1/{path}") as answer:
                assert not list(faults(await answer.json(), class_of(kind)))
        form = {"subscription": subscription.id}
        async with session.post("/v1/invoices/create_preview", data=form) as answer:
            assert not list(faults(await answer.json(), class_of("invoice")))


def test_the_walk_itself_finds_what_is_wrong() -> None:
    product = {"id": 1, "object": "product", "active": None, "images": "x", "created": True}
    found = list(faults(product, class_of("product")))
    assert {fault.partition(" ")[0] for fault in found} >= {".id", ".active", ".images", ".created", ".name"}


async def test_the_asynchronous_sdk_works_as_well(world) -> None:
    subscription = await world.subscription(quantity=7)
    http = stripe.AIOHTTPClient()
    client = stripe.StripeClient(world.running.secret_key, base_addresses={"api": world.running.url}, http_client=http)
    try:
        found = await client.v1.subscriptions.retrieve_async(subscription.id)
        assert found["items"].data[0].quantity == 7
        with pytest.raises(stripe.InvalidRequestError):
            await client.v1.subscriptions.retrieve_async("sub_x")
    finally:
        await http.close_async()
