"""The desk of the local Stripe: a handle for each thing that may happen, and no handle for other sites."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from patience import until


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def _press(browser, world, **fields) -> int:
    async with browser.post(world.running.url + "/", data=fields, allow_redirects=False) as answer:
        return answer.status


async def _desk(browser, world) -> str:
    async with browser.get(world.running.url + "/") as answer:
        assert answer.status == 200
        return await answer.text()


async def _month_later(world, subscription) -> str:
    await world.local.advance(days=32)
    return (await world.invoices(subscription))[0].status


async def test_the_next_payment_is_declined_and_the_one_after_it_is_not(world, browser) -> None:
    subscription = await world.subscription()
    assert await _press(browser, world, deed="decline", customer=subscription.customer, times="1") == 303
    assert "declines the next payment" in await _desk(browser, world)
    await world.local.advance(days=31, hours=2)
    assert (await world.now(subscription)).status == "past_due"
    assert "declines the next payment" not in await _desk(browser, world)
    await world.local.advance(days=3)
    assert (await world.now(subscription)).status == "active"


async def test_a_checkout_whose_payment_is_declined_once_can_be_paid_then(world) -> None:
    customer, price = await world.customer(), await world.price()
    world.local.decline(customer.id, times=1)
    given = {"customer": customer.id, "items": [{"price": price.id}], "payment_behavior": "error_if_incomplete"}
    assert (await world.refused(lambda s: s.subscriptions.create(given))).http_status == 402
    assert (await world.do(lambda s: s.subscriptions.create(given))).status == "active"


async def test_a_card_that_declines_everything_is_fixed(world, browser) -> None:
    subscription = await world.subscription()
    await _press(browser, world, deed="decline", customer=subscription.customer)
    assert await _month_later(world, subscription) == "open"
    await world.local.advance(days=3)
    assert (await world.now(subscription)).status == "past_due"
    assert await _press(browser, world, deed="accept", customer=subscription.customer) == 303
    await world.local.advance(days=6)
    assert (await world.now(subscription)).status == "active"


async def test_notices_are_dropped_and_replayed_or_held_and_released(world, browser) -> None:
    await _press(browser, world, deed="mode", mode="drop")
    await world.customer("")
    assert "Replay the 1 dropped" in await _desk(browser, world)
    assert await world.heard() == []
    assert await _press(browser, world, deed="replay_dropped") == 303
    assert await world.heard() == ["customer.created"]
    assert "dropped" not in re.sub(r".*<h2>Notices", "", await _desk(browser, world)).partition("</h2>")[0]
    await _press(browser, world, deed="mode", mode="delay")
    await world.customer("")
    assert "Release the 1 held" in await _desk(browser, world)
    await _press(browser, world, deed="release", shuffled="yes")
    assert len(await world.heard()) == 2
    event = world.listener.events[0].id
    await _press(browser, world, deed="replay", event=event)
    await until(lambda: [one.id for one in world.listener.events].count(event) == 2)


async def test_the_desk_says_what_is_still_to_be_sent(world, browser) -> None:
    world.listener.answers = [500]
    await world.customer("")
    await world.heard()
    assert "500, to be sent again" in await _desk(browser, world)


async def test_the_next_request_fails_as_it_is_ordered(world, browser) -> None:
    assert await _press(browser, world, deed="fail", how="fail (500)") == 303
    assert (await world.refused(lambda s: s.customers.create({}))).http_status == 500
    assert not world.local.books.kinds["customer"]
    await _press(browser, world, deed="fail", how="carry it out, then fail (500)")
    assert "Take back the 1 ordered" in await _desk(browser, world)
    assert (await world.refused(lambda s: s.customers.create({}))).http_status == 500
    assert len(world.local.books.kinds["customer"]) == 1
    await _press(browser, world, deed="fail", how="refuse it (429)")
    assert await _press(browser, world, deed="no_trouble") == 303
    await world.customer("")


async def test_a_test_clock_is_moved_by_hand(world, browser) -> None:
    clock = await world.do(lambda s: s.test_helpers.test_clocks.create({"frozen_time": 1_800_000_000, "name": "Ours"}))
    customer = await world.customer(test_clock=clock.id)
    subscription = await world.subscription(customer=customer)
    assert "Ours" in await _desk(browser, world)
    assert await _press(browser, world, deed="advance", clock=clock.id, seconds=str(32 * 86_400)) == 303
    assert len(await world.invoices(subscription)) == 2
    moved = await world.do(lambda s: s.test_helpers.test_clocks.retrieve(clock.id))
    assert moved.frozen_time == 1_800_000_000 + 32 * 86_400


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"deed": "explode"},
        {"deed": "advance", "seconds": "-1"},
        {"deed": "advance", "seconds": str(400 * 86_400)},
        {"deed": "advance", "seconds": "60", "clock": "clock_x"},
        {"deed": "decline", "customer": "cus_x"},
        {"deed": "mode", "mode": "explode"},
        {"deed": "replay", "event": "evt_x"},
        {"deed": "fail", "how": "explode"},
    ],
)
async def test_what_is_no_handle_is_refused(world, browser, fields) -> None:
    before = world.local.clock.ahead
    assert await _press(browser, world, **fields) in (400, 404)
    assert world.local.clock.ahead == before


async def test_another_site_cannot_press_its_buttons(world, browser) -> None:
    fields = {"deed": "mode", "mode": "drop"}
    for site, wanted in (("cross-site", 403), ("same-site", 403), ("same-origin", 303)):
        headers = {"Sec-Fetch-Site": site}
        async with browser.post(world.running.url, data=fields, headers=headers, allow_redirects=False) as answer:
            assert answer.status == wanted, site
        assert world.local.deliveries.mode == ("drop" if wanted == 303 else "deliver")


async def test_its_pages_load_nothing_and_run_nothing(world, browser) -> None:
    async with browser.get(world.running.url + "/") as answer:
        policy, text = answer.headers["Content-Security-Policy"], await answer.text()
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
    assert not re.search(r"<script|<link|style=| on\w+=", text)
