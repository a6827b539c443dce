"""Growing: where seats grow, whoever is let in is paid for, once however many come at the same time."""

from __future__ import annotations

import asyncio

import aiohttp
from selling_kit import Shop
from stripe_kit import Till

from tenantry.billing import exchanges
from tenantry.foundation.jobs.job import NewJob
from tenantry.testing import Client, Response, Team


async def _growing(shop: Shop, plan: str = "growing") -> Team:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, plan)
    return team


def quantity(shop: Shop) -> int:
    return int(shop.at_stripe("subscription")[-1]["items"]["data"][0]["quantity"])


def invite(person: Client, team: Team, number: int) -> asyncio.Task[Response]:
    body = {"email": f"guest{number}@example.com", "role": "member"}
    return asyncio.ensure_future(person.post(f"{team.path}/invites", body))


async def _grown(shop: Shop) -> None:
    """Let the jobs run, those that wait for another change as well."""
    for _ in range(3):
        await shop.heard()
        await shop.house.rows(
            "update tenantry.jobs set run_at = tenantry.now(), due = true where kind like 'billing.%' and not due"
            " returning id"
        )


async def _swept(shop: Shop) -> None:
    """Some time later the job comes by that asks for what nobody heard the answer to."""
    await shop.house.rows(
        "update tenantry.billing_intents set asked_at = asked_at - interval '1 hour' where state = 'asked' returning id"
    )
    await shop.house.ask(NewJob("billing.finish_intents", queue="billing"))
    await _grown(shop)


async def test_an_invite_past_the_seats_buys_one(shop: Shop) -> None:
    team = await _growing(shop)
    assert quantity(shop) == 3
    assert (await invite(team.owner, team, 1)).status == 201
    await _grown(shop)
    assert quantity(shop) == 4
    answer = await team.owner.get(f"{team.path}/entitlements?explain=1")
    assert {one["feature_key"]: one["value"] for one in answer.json["items"]}.get("seats", 4) == 4
    [row] = await shop.house.rows("select quantity from tenantry.subscriptions")
    assert row["quantity"] == 4
    await shop.house.assert_recorded("billing.subscription_change_asked", how="grow", quantity=4)


async def test_many_at_once_are_bought_once(shop: Shop) -> None:
    team = await _growing(shop)
    answers = await asyncio.gather(*[invite(team.owner, team, number) for number in range(4)])
    assert {one.status for one in answers} == {201}
    await _grown(shop)
    assert quantity(shop) == 7
    billed = sum(one["total"] for one in shop.at_stripe("invoice"))
    assert billed == 3 * 500 + 4 * 500


async def test_they_grow_to_what_is_sold_and_no_further(shop: Shop) -> None:
    team = await _growing(shop)
    for number in range(6):
        await invite(team.owner, team, number)
    await _grown(shop)
    assert quantity(shop) == 8


async def test_they_never_become_fewer_by_themselves(shop: Shop) -> None:
    team = await _growing(shop)
    sent = await invite(team.owner, team, 1)
    await _grown(shop)
    revoked = await team.owner.delete(f"{team.path}/invites/{sent.json['id']}")
    assert revoked.status == 204, revoked
    await _grown(shop)
    assert quantity(shop) == 4
    # the place is there for the next one
    await invite(team.owner, team, 2)
    await _grown(shop)
    assert quantity(shop) == 4


async def test_where_seats_do_not_grow_none_is_bought(shop: Shop) -> None:
    team = await _growing(shop, "team")
    await shop.advance(days=15)
    owner = await shop.back(team.owner)
    await invite(owner, team, 1)
    await _grown(shop)
    assert quantity(shop) == 3


async def test_a_declined_card_leaves_the_seats_and_a_payment_that_is_missing(shop: Shop) -> None:
    team = await _growing(shop)
    shop.stripe.decline(await shop.customer_of(team))
    assert (await invite(team.owner, team, 1)).status == 201
    await _grown(shop)
    assert quantity(shop) == 4
    [subscription] = shop.at_stripe("subscription")
    assert subscription["status"] == "past_due"
    await shop.house.assert_recorded("billing.payment_failed", amount=500)


async def test_what_is_planned_stays_planned_when_seats_grow(shop: Shop) -> None:
    team = await _growing(shop)
    for number in (1, 2):
        await invite(team.owner, team, number)
    await _grown(shop)
    sent = (await team.owner.get(f"{team.path}/invites")).json["items"]
    for one in sent:
        await team.owner.delete(f"{team.path}/invites/{one['id']}")
    answer = await team.owner.request("PUT", f"{team.path}/billing/seats", body={"seats": 3})
    assert answer.json["later"]["seats"] == 3, answer
    for number in (3, 4, 5):
        await invite(team.owner, team, number)
    await _grown(shop)
    assert quantity(shop) == 6
    [row] = await shop.house.rows("select later_quantity from tenantry.subscriptions")
    assert row["later_quantity"] == 3


async def test_without_an_answer_seats_grow_later(shop: Shop) -> None:
    team = await _growing(shop)
    shop.stripe.fail(0, times=99, path="/v1/subscriptions/.*")
    await invite(team.owner, team, 1)
    await _grown(shop)
    assert quantity(shop) == 3
    shop.stripe.faults.clear()
    await _swept(shop)
    assert quantity(shop) == 4


async def test_seats_grow_once_another_change_is_over(shop: Shop) -> None:
    team = await _growing(shop)
    shop.stripe.fail(0, times=99, path="/v1/subscriptions/.*")
    unheard = await team.owner.request("PUT", f"{team.path}/billing/seats", body={"seats": 4})
    assert unheard.status == 503, unheard
    shop.stripe.faults.clear()
    await asyncio.gather(*[invite(team.owner, team, number) for number in range(3)])
    await shop.heard()
    assert quantity(shop) == 3
    await _swept(shop)
    assert quantity(shop) == 6


async def test_the_longer_another_change_takes_the_more_seldom_it_is_looked_at(shop: Shop) -> None:
    team = await _growing(shop)
    shop.stripe.fail(0, times=99, path="/v1/subscriptions/.*")
    await team.owner.request("PUT", f"{team.path}/billing/seats", body={"seats": 4})
    await invite(team.owner, team, 1)
    waits = []
    for _ in range(3):
        await _grown(shop)
        await shop.house.drain_jobs()
        [row] = await shop.house.rows(
            "select extract(epoch from run_at - $1)::float8 as left from tenantry.jobs"
            " where kind like 'billing.grow%' and not due",
            shop.clock.now,
        )
        waits.append(row["left"])
    assert waits[0] < waits[-1] == 300, waits
    assert waits == sorted(waits)


async def test_an_organization_without_a_subscription_grows_nothing(shop: Shop) -> None:
    team = await shop.house.team()
    [row] = await shop.house.rows("select id from tenantry.orgs")
    await exchanges.grow_seats(shop.call, org_id=row["id"])
    assert shop.at_stripe("subscription") == []
    assert await shop.house.rows("select from tenantry.billing_intents") == []
    assert team.org


async def test_seats_grow_in_a_trial_as_well_so_that_its_end_bills_what_is_taken(shop: Shop) -> None:
    team = await _growing(shop, "tried")
    assert quantity(shop) == 3
    assert (await invite(team.owner, team, 1)).status == 201
    await _grown(shop)
    assert (shop.at_stripe("subscription")[-1]["status"], quantity(shop)) == ("trialing", 4)


async def test_a_seat_that_was_taken_while_something_was_owed_is_bought_once_it_is_paid(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "growing")
    customer = await shop.customer_of(team)
    shop.stripe.decline(customer)
    await shop.advance(days=32)
    owner = await shop.back(team.owner)
    sent = await owner.post(f"{team.path}/invites", {"email": "late@example.com", "role": "member"})
    assert sent.status == 201, sent
    await shop.heard()
    [subscription] = [one for one in shop.at_stripe("subscription") if one["customer"] == customer]
    assert subscription["items"]["data"][0]["quantity"] == 3
    shop.stripe.accept(customer)
    owed = next(one for one in shop.at_stripe("invoice") if (one["customer"], one["status"]) == (customer, "open"))
    async with aiohttp.ClientSession() as http:
        await Till(shop.stripe, shop.running.url, http).ask("POST", f"invoices/{owed['id']}/pay")
    await shop.heard()
    [subscription] = [one for one in shop.at_stripe("subscription") if one["customer"] == customer]
    assert (subscription["status"], subscription["items"]["data"][0]["quantity"]) == ("active", 4)
