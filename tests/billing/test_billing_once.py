"""What asks Stripe between two commits is done once under an idempotency key, whatever becomes of it in between."""

from __future__ import annotations

import asyncio

from selling_kit import Shop

from tenantry.foundation.answers import claim_of
from tenantry.foundation.data.ids import USER_ID
from tenantry.testing import Client, Response, Team

ABANDONED = "update tenantry.kept_answers set sealed = null, at = at - $1 * interval '1 second' returning digest"


async def asked(team: Team, key: str, plan: str = "business") -> Response:
    headers = {"idempotency-key": key}
    return await team.owner.post(f"{team.path}/billing/checkout", {"plan": plan}, headers=headers)


async def test_asking_again_is_answered_with_the_same_bytes(shop: Shop) -> None:
    team = await shop.house.team()
    first, again = await asked(team, "once"), await asked(team, "once")
    # without the key the second would have found the open one, and said so with 200
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    other = await asked(team, "once", plan="team")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert len(shop.at_stripe("checkout.session")) == 1


async def test_many_at_once_are_answered_the_same_or_told_to_wait(shop: Shop) -> None:
    team = await shop.house.team()
    answers = await asyncio.gather(*(asked(team, "once") for _ in range(8)))
    done = [answer for answer in answers if answer.status == 201]
    assert {answer.body for answer in done} == {done[0].body}
    assert {answer.code for answer in answers if answer.status != 201} <= {"idempotency_key_in_flight"}


async def test_what_was_refused_is_looked_at_anew(shop: Shop) -> None:
    team = await shop.house.team()
    refused = await asked(team, "once", plan="free")
    assert refused.status == 422
    assert (await asked(team, "once")).status == 201
    assert await shop.house.rows("select from tenantry.kept_answers where sealed is null") == []


async def test_while_it_is_under_way_others_are_told_so_and_when_it_died_they_may_go_on(shop: Shop) -> None:
    team = await shop.house.team()
    first = await asked(team, "once")
    [row] = await shop.house.rows(ABANDONED, 0)
    assert row["digest"] == claim_of(team.org, USER_ID.read(team.owner.user_id), None, "once")
    waiting = await asked(team, "once")
    assert (waiting.status, waiting.code) == (409, "idempotency_key_in_flight")
    await shop.house.rows(ABANDONED, 15)
    resumed = await asked(team, "once")
    assert (resumed.status, resumed.json["id"]) == (200, first.json["id"])
    assert len(shop.at_stripe("checkout.session")) == 1


async def test_whoever_may_not_ask_any_more_is_not_answered_either(shop: Shop) -> None:
    team = await shop.house.team()
    headers = {"idempotency-key": "once"}
    path = f"{team.path}/billing/checkout"
    assert (await team.admin.post(path, {"plan": "business"}, headers=headers)).status == 201
    await _demoted(team, team.admin)
    assert (await team.admin.post(path, {"plan": "business"}, headers=headers)).status == 403


async def _demoted(team: Team, person: Client) -> None:
    path = f"{team.path}/members/{person.user_id}"
    assert (await team.owner.patch(path, {"role": "member"}, headers={"if-match": "*"})).status == 200
