"""The portal: Stripe's own pages, opened for one customer, who comes back to us."""

from __future__ import annotations

from pathlib import Path

import pytest
from selling_kit import Shop, open_shop

from tenantry.billing import exchanges
from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.domain import Registry
from tenantry.foundation.problems import Forbidden
from tenantry.testing import Databases, Installation


async def test_a_customer_is_led_to_pages_of_their_own_and_back_to_ours(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    answer = await team.admin.post(f"{team.path}/billing/portal")
    assert answer.status == 201, answer
    [session] = shop.at_stripe("billing_portal.session")
    assert answer.json == {"url": session["url"]}
    assert session["customer"] == await shop.customer_of(team)
    assert session["return_url"] == f"{shop.house.origin}/console/orgs/{team.org}/billing"
    [row] = await shop.house.rows("select * from tenantry.audit_log where action = 'billing:portal:opened'")
    assert row["actor_id"] is not None


async def test_each_opening_is_a_session_of_its_own(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    urls = {(await team.owner.post(f"{team.path}/billing/portal")).json["url"] for _ in range(2)}
    assert len(urls) == len(shop.at_stripe("billing_portal.session")) == 2


async def test_whoever_never_was_a_customer_has_no_portal_and_becomes_none_by_asking(shop: Shop) -> None:
    team = await shop.house.team()
    answer = await team.owner.post(f"{team.path}/billing/portal")
    assert (answer.status, answer.code) == (409, "not_subscribed")
    assert shop.at_stripe("customer") == shop.at_stripe("billing_portal.session") == []


async def test_one_who_is_restricted_reaches_the_portal_to_pay(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    await shop.house.rows("update tenantry.orgs set restricted_from = tenantry.now() returning id")
    assert (await team.owner.post(f"{team.path}/billing/portal")).status == 201


async def test_the_configuration_that_is_set_is_the_one_that_is_opened(
    databases: Databases, registry: Registry, tmp_path: Path
) -> None:
    async with (
        databases.fresh() as url,
        open_shop(url, tmp_path, registry, TENANTRY_STRIPE_PORTAL_CONFIGURATION="bpc_nobodys") as shop,
    ):
        team = await shop.house.team()
        await shop.subscribe(team.owner, team, "business")
        answer = await team.owner.post(f"{team.path}/billing/portal")
        assert (answer.status, answer.code, answer.json["reason"]) == (409, "stripe_refused", "resource_missing")


async def test_members_and_strangers_open_no_portal(house: Installation) -> None:
    team = await house.team()
    assert (await team.member.post(f"{team.path}/billing/portal")).status == 403
    assert (await team.stranger.post(f"{team.path}/billing/portal")).status == 404
    off = await team.owner.post(f"{team.path}/billing/portal")
    assert (off.status, off.code) == (404, "billing_off")


async def test_no_right_no_portal_whichever_way_it_is_asked_for(house: Installation) -> None:
    member = Call(house.runtime, NOBODY, "a-call-of-a-test").within(new_id(), "member")
    with pytest.raises(Forbidden):
        await exchanges.open_portal(member)
