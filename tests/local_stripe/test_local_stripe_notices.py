"""Notices of the local Stripe: signed, delivered, doubled, late, shuffled, lost and sent again."""

from __future__ import annotations

import json

import pytest
import stripe

from patience import until
from tenantry.testing.stripe import LocalStripe, signed

SECRET = "whsec_listener"


async def test_a_notice_is_the_event_as_it_was(world) -> None:
    customer = await world.customer("", name="Ada")
    await world.do(lambda s: s.customers.update(customer.id, {"name": "Bea"}))
    assert await world.heard() == ["customer.created", "customer.updated"]
    created, updated = world.listener.events
    assert (created.data.object["name"], updated.data.object["name"]) == ("Ada", "Bea")
    assert updated.data.previous_attributes.to_dict() == {"name": "Ada"}
    kept = await world.do(lambda s: s.events.retrieve(created.id))
    assert kept.data.object["name"] == "Ada"
    assert kept.request.id.startswith("req_")


def test_a_signature_is_what_the_sdk_verifies() -> None:
    import time  # noqa: PLC0415 - the one test that needs the wall clock

    body = json.dumps({"id": "evt_1", "object": "event"}).encode()
    header = signed(body, SECRET, int(time.time()))
    assert stripe.Webhook.construct_event(body, header, SECRET).id == "evt_1"
    for wrong in (signed(body, "other", int(time.time())), signed(body, SECRET, 1)):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body, wrong, SECRET)


async def test_duplicate_sends_each_twice(world) -> None:
    world.local.deliveries.mode = "duplicate"
    await world.customer("")
    assert await world.heard() == ["customer.created"] * 2
    assert len({one.id for one in world.listener.events}) == 1


async def test_delay_and_reorder_hold_notices_until_released(world) -> None:
    for mode in ("delay", "reorder"):
        world.local.deliveries.mode = mode
        world.listener.events.clear()
        for _ in range(8):
            await world.customer("")
        assert await world.heard() == []
        order = [one["id"] for one in world.local.deliveries.held]
        world.local.deliveries.release(seed=1)
        await world.heard()
        came = [one.id for one in world.listener.events]
        assert sorted(came) == sorted(order)
        assert (came == order) is (mode == "delay")


async def test_a_dropped_notice_can_be_replayed(world) -> None:
    world.local.deliveries.mode = "drop"
    await world.customer("")
    assert await world.heard() == []
    world.local.deliveries.replay(world.local.deliveries.dropped[0]["id"])
    assert await world.heard() == ["customer.created"]


async def test_a_refused_notice_is_sent_again(world) -> None:
    world.local.deliveries.retries = (0.01, 0.01)
    world.listener.answers = [500, 503]
    await world.customer("")
    await until(lambda: len(world.local.deliveries.sent) == 3)
    assert [one.status for one in world.local.deliveries.sent] == [500, 503, 200]
    assert len({one.body for one in world.local.deliveries.sent}) == 1


async def test_an_endpoint_of_ones_own_hears_what_it_asked_for(world) -> None:
    given = {"url": world.listener.url, "enabled_events": ["price.created"]}
    endpoint = await world.do(lambda s: s.webhook_endpoints.create(given))
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in (await world.do(lambda s: s.webhook_endpoints.retrieve(endpoint.id))).to_dict()
    world.local.books.secrets[f"endpoint:{endpoint.id}"] = SECRET
    await world.price()
    assert (await world.heard()).count("price.created") == 2
    await world.do(lambda s: s.webhook_endpoints.delete(endpoint.id))
    await world.price()
    assert (await world.heard()).count("price.created") == 3


async def test_events_are_listed_by_type(world) -> None:
    await world.subscription()
    found = await world.do(lambda s: s.events.list({"types": ["invoice.paid", "customer.created"]}))
    assert [one.type for one in found.data] == ["invoice.paid", "customer.created"]
    family = await world.do(lambda s: s.events.list({"type": "customer.*"}))
    assert all(one.type.startswith("customer.") for one in family.data)


async def test_a_snapshot_goes_on_where_it_ended(tmp_path, world) -> None:
    file = tmp_path / "stripe.json"
    subscription = await world.subscription()
    await world.heard()
    file.write_text(json.dumps(world.local.books.snapshot()))
    again = LocalStripe()
    again.books.restore(json.loads(file.read_text()))
    assert json.dumps(again.books.snapshot()) == file.read_text()
    again.clock.ahead = 32 * 86_400
    again.catch_up()
    invoices = list(again.books.newest_first("invoice", subscription.customer))
    assert [one["status"] for one in invoices] == ["paid", "paid"]
    item = again.books.kinds["subscription"][subscription.id]["items"]["data"][0]
    assert item is again.books.kinds["subscription_item"][item["id"]]
