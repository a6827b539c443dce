"""A life at Stripe, told in every order, twice, in part, and to somebody who hears badly: it ends in one state."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from stripe_kit import Till, apply_all, billing_with, deliver, owned, reconcile, till

from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation

SEED = 20
STEPS = 5
OWNED = 20
"""Organizations of one person."""
TWICE, NEVER = 0.15, 0.15
"""Shares of notices that come twice, and never."""
TROUBLES = (500, 503, 429, 0)
"""What Stripe answers instead of the truth; 0 cuts the connection."""
# told by Stripe beside others about the same invoice at the same moment: left out of what it tells, for speed
BESIDE = frozenset(("invoice.created", "invoice.finalized", "invoice.updated", "invoice.payment_succeeded"))
TABLES = {
    "subscriptions": "select * from tenantry.subscriptions",
    "invoices": "select * from tenantry.invoices",
    "org_plans": "select * from tenantry.org_plans",
    "orgs": "select id as org_id, restricted_from from tenantry.orgs",
}
# what names the one row and not the other, and which question it answers
ITS_OWN = frozenset(
    ("org_id", "id", "customer_id", "subscription_id", "item_id", "latest_invoice_id", "number", "hosted_url",
     "pdf_url", "fetched", "fetched_at", "updated_at", "seen_at")
)  # fmt: skip


class Life(msgspec.Struct, kw_only=True):
    """One customer's life: who it is, and the order in which the chapters of it are told."""

    customer: str
    org_id: UUID
    order: Sequence[int]
    subscription: dict[str, Any]


async def test_a_life_told_in_any_order_twice_in_part_and_unheard_ends_in_one_state(
    databases: Databases, registry: Registry, tmp_path: Path
) -> None:
    chance, now = random.Random(SEED), int(time.time())
    async with till(clock=lambda: now) as shop, billing_with(shop, databases, registry, tmp_path) as house:
        lives = await _begin(shop, house)
        [calm, *rest] = lives
        waiting: dict[int, list[dict[str, Any]]] = {step: [] for step in range(STEPS)}
        for step in range(STEPS):
            if step:
                await _live_on(shop, lives, step)
            _wait(shop.told(but=BESIDE), step, lives, waiting, chance)
            await _deliver(shop, house, waiting[step], chance)
        lost = await reconcile(house)
        assert lost.lost > len(rest), "hardly anything was lost: this test shows nothing"
        states = await _states(house, lives)
        expected = states[calm.org_id]
        assert expected["subscriptions"][0]["status"] == "canceled"
        assert len(expected["invoices"]) == 4
        assert not [life.order for life in rest if states[life.org_id] != expected]
        await _assert_told_once(house, lives)
        again = await reconcile(house)
        assert (again.lost, again.differed, again.unknown) == (0, 0, 0)


async def _begin(shop: Till, house: Installation) -> list[Life]:
    """As many customers as there are orders of a life, and one whose life is told as it comes; each begins a trial."""
    price = await shop.price(1900)
    lives: list[Life] = []
    for order in (tuple(range(STEPS)), *itertools.permutations(range(STEPS))):
        if len(lives) % OWNED == 0:
            owner = await house.person()
        customer = await shop.customer()
        org_id = await owned(house, owner, customer)
        subscription = await shop.subscribe(customer, price, trial_period_days=14)
        lives.append(Life(customer=customer, org_id=org_id, order=order, subscription=subscription))
    return lives


async def _live_on(shop: Till, lives: list[Life], step: int) -> None:
    """The next chapter of every life: the first payment, a card that declines, its recovery, an upgrade, the end."""
    if step == 1:
        await shop.local.advance(days=15)
    elif step == 2:
        for life in lives:
            shop.local.decline(life.customer)
        await shop.local.advance(days=31)
    elif step == 3:
        for life in lives:
            shop.local.accept(life.customer)
        await shop.local.advance(days=3)
        await _upgrade(shop, lives)
    else:
        for life in lives:
            await shop.ask("DELETE", f"subscriptions/{life.subscription['id']}")


async def _upgrade(shop: Till, lives: list[Life]) -> None:
    price = await shop.price(4900, tenantry_plan_version="2")
    for life in lives:
        item = life.subscription["items"]["data"][0]["id"]
        change = {"items[0][id]": item, "items[0][price]": price, "proration_behavior": "always_invoice"}
        await shop.ask("POST", f"subscriptions/{life.subscription['id']}", **change)


def _wait(
    told: list[dict[str, Any]], step: int, lives: list[Life], waiting: dict[int, list[dict[str, Any]]],
    chance: random.Random,
) -> None:  # fmt: skip
    """What was told in this chapter waits for its turn in each life's order; some of it comes twice, some never."""
    [calm, *_] = lives
    order = {life.customer: life.order for life in lives}
    for event in told:
        about = event["data"]["object"]
        customer = about["id"] if about["object"] == "customer" else about["customer"]
        times = 1 if customer == calm.customer else chance.choices((0, 1, 2), (NEVER, 1 - NEVER - TWICE, TWICE))[0]
        for _ in range(times):
            # nothing is told before it happened
            waiting[max(step, order[customer][step])].append(event)


async def _deliver(shop: Till, house: Installation, events: list[dict[str, Any]], chance: random.Random) -> None:
    chance.shuffle(events)
    for trouble in TROUBLES:
        asked = chance.choice(("subscriptions", "invoices"))
        shop.local.fail(trouble, times=chance.randint(1, 12), method="GET", path=f"/v1/{asked}/.*")
    await deliver(house, events)
    await apply_all(house)
    shop.local.faults.clear()


async def _states(house: Installation, lives: list[Life]) -> dict[UUID, dict[str, list[dict[str, Any]]]]:
    """Every row of each organization's billing without what is its alone."""
    found: dict[UUID, dict[str, list[dict[str, Any]]]] = {
        life.org_id: {table: [] for table in TABLES} for life in lives
    }
    for table, statement in TABLES.items():
        for row in await house.rows(statement):
            plain = {name: value for name, value in row.items() if name not in ITS_OWN}
            found[row["org_id"]][table].append(plain)
    for state in found.values():
        for rows in state.values():
            rows.sort(key=repr)
    return found


async def _assert_told_once(house: Installation, lives: list[Life]) -> None:
    rows = await house.rows(
        "select org_id, kind, payload ->> 'invoice' as invoice, payload ->> 'attempts' as attempts,"
        " payload ->> 'subscription' as subscription from tenantry.events where kind like 'billing.%'"
    )
    told = Counter(tuple(row) for row in rows if row["kind"] != "billing.subscription_changed")
    assert not [each for each, times in told.items() if times > 1]
    kinds = Counter((row["org_id"], row["kind"]) for row in rows)
    for life in lives:
        assert kinds[life.org_id, "billing.subscription_ended"] == 1
        # a life that was told of when it was over began for nobody
        assert kinds[life.org_id, "billing.subscription_started"] <= 1
    paid = await house.rows("select id from tenantry.invoices where status = 'paid'")
    assert {row["id"] for row in paid} == {row["invoice"] for row in rows if row["kind"] == "billing.invoice_paid"}
