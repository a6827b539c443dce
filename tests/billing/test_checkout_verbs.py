"""The steps of a checkout one by one: what each keeps, and what a second time changes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from billing_kit import org_uuid
from selling_kit import Shop

from tenantry.billing import actions, exchanges, stripe
from tenantry.billing.models import Checkout, Intent, NewCheckout, Offer, Truth
from tenantry.billing.problems import AlreadySubscribed, BillingOff
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.testing import Client, Installation, Team

OFFER = Offer("business", 1, "month", "eur", 9900, per_seat=False, quantity=1)


def _house(shop: Shop) -> SystemWork:
    return SystemWork(shop.call, reason="a test")


async def _call(house: Installation, person: Client, team: Team, role: str = "owner") -> Call:
    who = USER_ID.read(person.user_id)
    [row] = await house.rows("select id from tenantry.sessions where user_id = $1", who)
    actor = Actor("person", person=who, session=row["id"], org=org_uuid(team), role=role)
    return Call(house.runtime, actor, "request-of-a-test")


async def _begun(shop: Shop, team: Team, wish: NewCheckout | None = None) -> Intent | str:
    call = await _call(shop.house, team.owner, team)
    async with OrgWork(call, org_uuid(team)) as work:
        if wish is None:
            return await actions.begin_customer(work)
        return await actions.begin_checkout(work, wish=wish)


async def test_begin_customer_keeps_one_intent_for_all(shop: Shop) -> None:
    team = await shop.house.team()
    first, second = await _begun(shop, team), await _begun(shop, team)
    assert isinstance(first, Intent)
    assert isinstance(second, Intent)
    assert (first.id, first.key) == (second.id, second.key)


async def test_settle_customer_keeps_the_first_and_hears_what_waited_for_it(shop: Shop) -> None:
    team = await shop.house.team()
    intent = await _begun(shop, team)
    assert isinstance(intent, Intent)
    made = await stripe.create_customer(shop.house.runtime, key=intent.key, name="Acme", email=None, metadata={})
    await shop.house.rows(
        "insert into tenantry.stripe_notices (id, type, livemode, subject, subject_id, customer_id, state)"
        " values ('evt_early', 'customer.updated', false, 'customer', $1, $1, 'orphaned') returning id",
        made.id,
    )
    async with _house(shop) as work:
        assert await actions.settle_customer(work, intent=intent, customer_id=made.id, live=False) == made.id
    async with _house(shop) as work:
        assert await actions.settle_customer(work, intent=intent, customer_id="cus_later", live=False) == made.id
    await shop.heard()
    [row] = await shop.house.rows("select state from tenantry.stripe_notices where id = 'evt_early'")
    assert row["state"] == "applied"
    assert await _begun(shop, team) == made.id


async def test_a_customer_that_is_gone_makes_room_for_another(shop: Shop) -> None:
    team = await shop.house.team()
    call = await _call(shop.house, team.owner, team)
    first = await exchanges.ensure_customer(call)
    assert await exchanges.ensure_customer(call) == first
    await shop.house.rows("update tenantry.stripe_customers set gone_at = now() returning 1")
    second = await exchanges.ensure_customer(call)
    assert second != first
    assert await shop.customer_of(team) == second


async def test_an_answer_that_could_not_be_kept_is_found_again_by_its_key(shop: Shop) -> None:
    team = await shop.house.team()
    intent = await _begun(shop, team)
    assert isinstance(intent, Intent)
    # Stripe made it, and whoever asked died before that was committed
    made = await stripe.create_customer(
        shop.house.runtime, key=intent.key, name="Acme", email=None, metadata={"tenantry_org": team.org}
    )
    assert await exchanges.ensure_customer(await _call(shop.house, team.admin, team, "admin")) == made.id
    assert len(shop.at_stripe("customer")) == 1


async def _opened(shop: Shop, team: Team) -> Intent:
    customer = await exchanges.ensure_customer(await _call(shop.house, team.owner, team))
    prices = [one["id"] for one in shop.at_stripe("price") if one["unit_amount"] == 9900]
    found = await _begun(shop, team, NewCheckout(customer, prices[0], OFFER))
    assert isinstance(found, Intent)
    return found


async def test_settle_checkout_leaves_what_is_over_as_it_is(shop: Shop) -> None:
    team = await shop.house.team()
    intent = await _opened(shop, team)
    told: dict[str, Any] = {"id": "cs_1", "status": "expired", "expires_at": 1_900_000_000}
    seen: list[Checkout] = []
    for status in ("expired", "complete"):
        async with _house(shop) as work:
            session = msgspec.convert(told | {"status": status}, stripe.shapes.Session)
            seen.append(await actions.settle_checkout(work, intent=intent, session=session))
    assert [one.state for one in seen] == ["expired", "expired"]
    assert len(await shop.house.recorded("billing.checkout_ended")) == 1


async def test_settle_intent_keeps_why_stripe_refused(shop: Shop) -> None:
    team = await shop.house.team()
    intent = await _opened(shop, team)
    async with _house(shop) as work:
        await actions.settle_intent(work, intent=intent, state="refused", why="refused: resource_missing")
    [row] = await shop.house.rows("select state, why from tenantry.billing_intents where id = $1", intent.id)
    assert (row["state"], row["why"]) == ("refused", "refused: resource_missing")
    # and another one can be opened
    assert (await shop.checkout(team.owner, team, "business")).status == 201


async def test_take_up_intent_counts_attempts_and_takes_another_key_for_late_ones(shop: Shop) -> None:
    team = await shop.house.team()
    intent = await _opened(shop, team)
    keys = [intent.key]
    for _ in range(3):
        async with _house(shop) as work:
            taken = await actions.take_up_intent(work, org_id=intent.org_id, intent_id=intent.id)
        assert taken is not None
        assert taken.asked > intent.asked
        keys.append(taken.key)
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


async def test_apply_answer_does_not_put_an_earlier_answer_over_a_later_one(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    [row] = await shop.house.rows("select id, fetched from tenantry.subscriptions")
    told = await stripe.fetch_subscription(shop.house.runtime, row["id"])
    early = msgspec.structs.replace(told, status="past_due")
    async with _house(shop) as work:
        truth = Truth(asked=row["fetched"] - 1, subscription=early)
        assert not await actions.apply_answer(work, org_id=org_uuid(team), truth=truth)
    [after] = await shop.house.rows("select status from tenantry.subscriptions")
    assert after["status"] == "active"


async def test_begin_checkout_refuses_a_second_subscription(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    with pytest.raises(AlreadySubscribed):
        await _opened(shop, team)


async def test_open_checkout_is_for_roles_that_may_pay(shop: Shop) -> None:
    team = await shop.house.team()
    call = await _call(shop.house, team.member, team, "member")
    with pytest.raises(Forbidden):
        await exchanges.open_checkout(call, plan="business")
    assert shop.at_stripe("customer") == []


async def test_without_a_stripe_account_nothing_can_be_bought(house: Installation) -> None:
    team = await house.team()
    answer = await team.owner.post(f"{team.path}/billing/checkout", {"plan": "free"})
    assert (answer.status, answer.code) == (404, BillingOff.code)
