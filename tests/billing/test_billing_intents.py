"""What was asked of Stripe is brought to an end by a job, once, wherever whoever asked was when they died."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from selling_kit import Shop

from tenantry.billing import actions, exchanges
from tenantry.billing.models import Intent
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.work import SystemWork
from tenantry.testing import Client, Response, Team
from tenantry.testing.stripe.faults import Fault, Faults

Ask = Callable[[Client, Team], Awaitable[Response]]
LONG = "interval '1 day'"


async def swept(shop: Shop) -> None:
    """Some time later the job comes by."""
    await shop.house.rows(
        f"update tenantry.billing_intents set asked_at = asked_at - {LONG} where state = 'asked' returning id"
    )
    await shop.house.ask(NewJob("billing.finish_intents", queue="billing"))
    await shop.heard()


async def states(shop: Shop, kind: str) -> list[str]:
    rows = await shop.house.rows("select state from tenantry.billing_intents where kind = $1 order by asked", kind)
    return [row["state"] for row in rows]


def _patch(**wish: Any) -> Ask:
    return lambda person, team: person.patch(f"{team.path}/billing/subscription", wish)


def _checkout(person: Client, team: Team) -> Awaitable[Response]:
    return person.post(f"{team.path}/billing/checkout", {"plan": "business"})


def _cancel(person: Client, team: Team) -> Awaitable[Response]:
    return person.post(f"{team.path}/billing/cancellation", {"reason": "unused"})


def _resume(person: Client, team: Team) -> Awaitable[Response]:
    return person.delete(f"{team.path}/billing/cancellation")


class Deed(msgspec.Struct, frozen=True):
    """What is asked for, what before that, and what is true at Stripe once it is done."""

    kind: str
    ask: Ask
    holds: Callable[[dict[str, Any], Shop], bool]
    before: tuple[Ask, ...] = ()


def _quantity(told: dict[str, Any]) -> int:
    return int(told["items"]["data"][0]["quantity"])


def _planned(schedule: dict[str, Any]) -> int:
    return int(schedule["phases"][1]["items"][0]["quantity"])


DEEDS = {
    "change": Deed("change", _patch(seats=8), lambda told, _: _quantity(told) == 8),
    "change of what was planned": Deed(
        "change", _patch(seats=8), lambda told, _: (_quantity(told), told["schedule"]) == (8, None), (_patch(seats=4),)
    ),
    "later": Deed(
        "later",
        _patch(seats=4),
        lambda told, shop: (
            _quantity(told) == 5
            and _planned(shop.stripe.books.get("subscription_schedule", told["schedule"])) == 4
        ),
    ),
    "stay": Deed("stay", _patch(seats=5), lambda told, _: told["schedule"] is None, (_patch(seats=4),)),
    "cancel": Deed("cancel", _cancel, lambda told, _: told["cancel_at_period_end"] is True),
    "cancel of what was planned": Deed(
        "cancel", _cancel, lambda told, _: (told["cancel_at_period_end"], told["schedule"]) == (True, None),
        (_patch(seats=4),),
    ),
    "resume": Deed("resume", _resume, lambda told, _: told["cancel_at_period_end"] is False, (_cancel,)),
}  # fmt: skip
MOST_TURNS = 8


class Cutting(Faults):
    """Cuts the connection at one turn of what is asked of Stripe, and at each one after it."""

    def __init__(self, turn: int, *, carried_out: bool) -> None:
        super().__init__()
        self.turn, self.carried_out, self.seen = turn, carried_out, 0

    def strike(self, method: str, path: str) -> Fault | None:
        here, self.seen = self.seen, self.seen + 1
        return None if here < self.turn else Fault(0, after=self.carried_out and here == self.turn)


@contextmanager
def cutting(shop: Shop, turn: int, *, carried_out: bool) -> Iterator[Cutting]:
    """Stripe is lost from a turn on."""
    before, shop.stripe.faults = shop.stripe.faults, Cutting(turn, carried_out=carried_out)
    try:
        yield shop.stripe.faults
    finally:
        shop.stripe.faults = before


async def _paying(shop: Shop) -> Team:
    """A team with five seats."""
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "growing", seats=5)
    return team


async def _told(shop: Shop, team: Team) -> dict[str, Any]:
    customer = await shop.customer_of(team)
    [found] = [one for one in shop.at_stripe("subscription") if one["customer"] == customer]
    return found


@pytest.mark.parametrize("name", DEEDS)
async def test_it_is_done_once_wherever_stripe_was_lost(shop: Shop, name: str) -> None:
    deed, turns = DEEDS[name], 0
    for turn in range(MOST_TURNS):
        for carried_out in (False, True):
            team = await _paying(shop)
            for ask in deed.before:
                assert (await ask(team.owner, team)).status == 200
            invoices = len(shop.at_stripe("invoice"))
            with cutting(shop, turn, carried_out=carried_out) as stripe:
                answer = await deed.ask(team.owner, team)
            if answer.status == 200:
                assert stripe.seen <= turn
                assert turns > 1
                return
            turns = turn + 1
            assert (answer.status, answer.code) == (503, "stripe_unavailable"), (turn, answer)
            busy = await deed.ask(team.owner, team)
            assert (busy.status, busy.code) in {(409, "billing_busy"), (200, None)}, busy
            await swept(shop)
            assert (await states(shop, deed.kind))[-1] == "done", (turn, carried_out)
            assert deed.holds(await _told(shop, team), shop), (turn, carried_out)
            assert len(shop.at_stripe("invoice")) <= invoices + 1, "it was paid for twice"
            assert (await deed.ask(team.owner, team)).status == 200
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("path", ["customers", "checkout/sessions"])
async def test_a_checkout_that_nobody_heard_of_is_opened_once(shop: Shop, path: str, after: bool) -> None:
    team = await shop.house.team()
    shop.stripe.fail(0, times=2, method="POST", path=f"/v1/{path}", after=after)
    assert (await _checkout(team.owner, team)).status == 503
    await swept(shop)
    answer = await _checkout(team.owner, team)
    assert answer.status in {200, 201}
    assert len(shop.at_stripe("customer")) == len(shop.at_stripe("checkout.session")) == 1


async def test_a_checkout_whose_time_is_over_is_closed(shop: Shop) -> None:
    team = await shop.house.team()
    await _checkout(team.owner, team)
    shop.stripe.deliveries.switch("drop")
    await shop.advance(days=2)
    await shop.house.rows(f"update tenantry.billing_intents set expires_at = expires_at - {LONG} * 4 returning id")
    await swept(shop)
    assert await states(shop, "checkout") == ["expired"]
    await shop.house.assert_recorded("billing.checkout_ended", completed=False)


async def test_what_stripe_refuses_is_refused_for_good(shop: Shop) -> None:
    team = await _paying(shop)
    shop.stripe.fail(0, times=9, path="/v1/subscriptions/.*")
    assert (await _patch(seats=8)(team.owner, team)).status == 503
    shop.stripe.faults.clear()
    shop.stripe.decline(await shop.customer_of(team))
    await swept(shop)
    [intent] = await shop.house.rows("select * from tenantry.billing_intents where kind = 'change'")
    assert (intent["state"], intent["why"]) == ("refused", "declined: generic_decline")
    asked = len(shop.stripe.answers.all())
    await swept(shop)
    assert len(shop.stripe.answers.all()) == asked
    assert (await _patch(seats=4)(team.owner, team)).status == 200


async def test_what_stripe_never_answers_is_let_go(shop: Shop) -> None:
    team = await _paying(shop)
    shop.stripe.fail(0, times=10**6, path="/v1/subscriptions/.*")
    assert (await _patch(seats=8)(team.owner, team)).status == 503
    await swept(shop)
    assert await states(shop, "change") == ["asked"]
    await shop.house.rows(
        "update tenantry.billing_intents set attempt = $1 where kind = 'change' returning id", actions.GIVEN_UP_AFTER
    )
    await swept(shop)
    assert await states(shop, "change") == ["refused"]
    shop.stripe.faults.clear()
    assert (await _patch(seats=7)(team.owner, team)).json["seats"] == 7


async def test_an_intent_that_is_settled_meanwhile_is_not_carried_out(shop: Shop) -> None:
    team = await _paying(shop)
    shop.stripe.fail(0, times=9, path="/v1/subscriptions/.*")
    assert (await _patch(seats=8)(team.owner, team)).status == 503
    shop.stripe.faults.clear()
    async with SystemWork(shop.call, reason="a test") as work:
        [stale] = await _stale(shop)
        await actions.settle_intent(work, intent=stale, state="done")
    assert await exchanges.finish_intent(shop.call, intent=stale)
    assert _quantity(await _told(shop, team)) == 5


async def _stale(shop: Shop) -> Sequence[Intent]:
    await shop.house.rows(f"update tenantry.billing_intents set asked_at = asked_at - {LONG} returning id")
    async with SystemWork(shop.call, reason="a test", reading=True) as work:
        return await actions.stale_intents(work, most=9)


async def test_the_longer_it_waits_the_more_seldom_it_is_asked_for(shop: Shop) -> None:
    team = await _paying(shop)
    shop.stripe.fail(0, times=9, path="/v1/subscriptions/.*")
    await _patch(seats=8)(team.owner, team)
    shop.stripe.faults.clear()
    for attempt, due in ((1, 1), (5, 0)):
        await shop.house.rows(
            "update tenantry.billing_intents set attempt = $1, asked_at = tenantry.now() - interval '2 minutes'"
            " where kind = 'change' returning id",
            attempt,
        )
        async with SystemWork(shop.call, reason="a test", reading=True) as work:
            assert len(await actions.stale_intents(work, most=9)) == due


async def test_a_cancellation_is_never_given_up(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    customer = await shop.customer_of(team)
    shop.stripe.fail(0, times=10**6, path="/v1/subscriptions/.*")
    assert (await team.owner.post(f"{team.path}/billing/cancellation", {})).status == 503
    for _ in range(2):
        await shop.house.rows(
            "update tenantry.billing_intents set attempt = $1, asked_at = asked_at - interval '9 days'"
            " where kind = 'cancel' returning id",
            actions.GIVEN_UP_AFTER,
        )
        await shop.house.ask(NewJob("billing.finish_intents", queue="billing"))
        await shop.house.drain_jobs()
        shop.stripe.faults.clear()
    [subscription] = [one for one in shop.at_stripe("subscription") if one["customer"] == customer]
    assert subscription["cancel_at_period_end"] is True


async def test_an_intent_that_breaks_keeps_no_other_from_its_end(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = await shop.house.team(), await shop.house.team()
    for team in (first, second):
        await shop.subscribe(team.owner, team, "business")
    shop.stripe.fail(0, times=8, path="/v1/subscriptions/.*")
    for team in (first, second):
        assert (await team.owner.post(f"{team.path}/billing/cancellation", {})).status == 503
    shop.stripe.faults.clear()
    await shop.house.rows(
        "update tenantry.billing_intents set asked_at = asked_at - interval '1 day' where kind = 'cancel' returning id"
    )
    seen: list[Any] = []
    finish = exchanges.finish_intent

    async def breaks_once(call: Any, *, intent: Any) -> bool:
        seen.append(intent)
        if len(seen) == 1:
            raise IndexError
        return await finish(call, intent=intent)

    monkeypatch.setattr(exchanges, "finish_intent", breaks_once)
    await shop.house.ask(NewJob("billing.finish_intents", queue="billing"))
    await shop.house.drain_jobs()
    assert len(seen) == 2
