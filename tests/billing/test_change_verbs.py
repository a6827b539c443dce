"""The steps of a change one by one: what each keeps, and what it refuses."""

from __future__ import annotations

import msgspec
import pytest
from billing_kit import org_uuid
from selling_kit import Shop

from tenantry.billing import actions, exchanges
from tenantry.billing.models import Intent, Subscription, Truth
from tenantry.billing.models.changes import Cancellation, Stay, Wish
from tenantry.billing.problems import BillingBusy, BillingOff, NotSold, NotSubscribed
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.testing import Client, Installation, Team


async def _call(house: Installation, person: Client, team: Team, role: str = "owner") -> Call:
    who = USER_ID.read(person.user_id)
    [row] = await house.rows("select id from tenantry.sessions where user_id = $1", who)
    actor = Actor("person", person=who, session=row["id"], org=org_uuid(team), role=role)
    return Call(house.runtime, actor, "request-of-a-test")


async def _paying(shop: Shop) -> tuple[Team, Call]:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "growing", seats=5)
    return team, await _call(shop.house, team.owner, team)


def _org(call: Call, team: Team) -> OrgWork:
    return OrgWork(call, org_uuid(team))


def _house(shop: Shop) -> SystemWork:
    return SystemWork(shop.call, reason="a test")


async def test_begin_intent_keeps_one_change_at_a_time(shop: Shop) -> None:
    team, call = await _paying(shop)
    async with _org(call, team) as work:
        kept = await actions.begin_intent(work, kind="stay", params=Stay("sub_1"))
    assert (kept.kind, kept.attempt, kept.state) == ("stay", 1, "asked")
    with pytest.raises(BillingBusy) as busy:
        async with _org(call, team) as work:
            await actions.begin_intent(work, kind="cancel", params=Cancellation("sub_1", at_once=False))
    assert busy.value.headers["retry-after"] == "2"
    async with _house(shop) as work:
        await actions.settle_intent(work, intent=kept, state="done")
    async with _org(call, team) as work:
        assert await actions.begin_intent(work, kind="stay", params=Stay("sub_1"))


async def test_begin_change_refuses_what_was_weighed_before_something_else_happened(shop: Shop) -> None:
    team, call = await _paying(shop)
    async with _org(call, team) as work:
        weighed = await actions.weigh_change(work, Wish(seats=8))
    assert (weighed.deed, weighed.terms.quantity, weighed.at_same_price) == ("change", 8, True)
    other = msgspec.structs.replace(weighed, row=msgspec.structs.replace(weighed.row, item_id="si_other"))
    with pytest.raises(BillingBusy):
        async with _org(call, team) as work:
            await actions.begin_change(work, weighed=other, price_id="price_1")
    async with _org(call, team) as work:
        assert (await actions.begin_change(work, weighed=weighed, price_id="price_1")).kind == "change"
    await shop.house.assert_recorded("billing.subscription_change_asked", how="change", quantity=8)


async def test_begin_change_counts_the_seats_once_more(shop: Shop) -> None:
    team, call = await _paying(shop)
    async with _org(call, team) as work:
        weighed = await actions.weigh_change(work, Wish(seats=3))
    assert weighed.deed == "later"
    sent = await team.owner.post(f"{team.path}/invites", {"email": "guest@example.com", "role": "member"})
    assert sent.status == 201, sent
    with pytest.raises(NotSold):
        async with _org(call, team) as work:
            await actions.begin_change(work, weighed=weighed, price_id="price_1")
    assert not await shop.house.rows("select from tenantry.billing_intents where kind = 'later'")


async def test_begin_cancellation_and_begin_resumption_find_what_is_so_already(shop: Shop) -> None:
    team, call = await _paying(shop)
    async with _org(call, team) as work:
        assert isinstance(await actions.begin_resumption(work), Subscription)
    async with _org(call, team) as work:
        begun = await actions.begin_cancellation(work, feedback="unused", comment="words")
    assert isinstance(begun, Intent)
    assert msgspec.json.decode(begun.params, type=Cancellation).comment == "words"
    async with _house(shop) as work:
        await actions.settle_intent(work, intent=begun, state="refused", why="a test")
    [row] = await shop.house.rows("select params from tenantry.billing_intents where kind = 'cancel'")
    assert "words" not in row["params"]


async def test_settle_change_keeps_what_stripe_no_longer_knows(shop: Shop) -> None:
    team, call = await _paying(shop)
    async with _org(call, team) as work:
        begun = await actions.begin_cancellation(work, feedback=None, comment=None)
    assert isinstance(begun, Intent)
    [told] = shop.at_stripe("subscription")
    async with _house(shop) as work:
        asked = await actions.take_place(work)
    async with _house(shop) as work:
        row = await actions.settle_change(
            work, intent=begun, truth=Truth(asked=asked, gone=told["id"]), state="refused", why="gone",
            subscription_id=told["id"],
        )  # fmt: skip
    assert row is not None
    assert row.over
    with pytest.raises(NotSubscribed):
        await exchanges.cancel_subscription(call)
    with pytest.raises(NotSubscribed):
        await exchanges.resume_subscription(call)


async def test_begin_growth_wants_as_many_as_are_taken_and_one_at_a_time(shop: Shop) -> None:
    team, call = await _paying(shop)
    async with _house(shop) as work:
        assert await actions.begin_growth(work, org_id=org_uuid(team)) is None
    await shop.house.rows("update tenantry.subscriptions set quantity = 2 returning id")
    async with _org(call, team) as work:
        kept = await actions.begin_intent(work, kind="stay", params=Stay("sub_1"))
    with pytest.raises(BillingBusy):
        async with _house(shop) as work:
            await actions.begin_growth(work, org_id=org_uuid(team))
    async with _house(shop) as work:
        await actions.settle_intent(work, intent=kept, state="done")
    async with _house(shop) as work:
        grown = await actions.begin_growth(work, org_id=org_uuid(team))
    assert grown is not None
    assert '"quantity": 3' in grown.params


@pytest.mark.parametrize("status", ["past_due", "unpaid"])
async def test_begin_growth_buys_nothing_for_whoever_does_not_pay(shop: Shop, status: str) -> None:
    team, _ = await _paying(shop)
    await shop.house.rows("update tenantry.subscriptions set quantity = 2, status = $1 returning id", status)
    async with _house(shop) as work:
        assert await actions.begin_growth(work, org_id=org_uuid(team)) is None


async def test_keep_double_ended_says_how_much_went_back(shop: Shop) -> None:
    team, _ = await _paying(shop)
    async with _house(shop) as work:
        await actions.keep_double_ended(
            work, org_id=org_uuid(team), subscription_id="sub_2", truth=Truth(asked=1), refunded=500, currency="eur"
        )
    await shop.house.assert_recorded("billing.double_ended", subscription="sub_2", refunded=500)


async def test_none_of_it_is_for_members_nor_while_billing_is_off(shop: Shop, house: Installation) -> None:
    team, _ = await _paying(shop)
    member = await _call(shop.house, team.member, team, "member")
    for verb in (
        lambda call: exchanges.change_subscription(call, wish=Wish(seats=8)),
        lambda call: exchanges.preview_change(call, wish=Wish(seats=8)),
        exchanges.cancel_subscription,
        exchanges.resume_subscription,
    ):
        with pytest.raises(Forbidden):
            await verb(member)
    with pytest.raises(Forbidden):
        async with _org(member, team) as work:
            await actions.begin_cancellation(work, feedback=None, comment=None)
    outside = await house.team()
    with pytest.raises(BillingOff):
        await exchanges.cancel_subscription(await _call(house, outside.owner, outside))
