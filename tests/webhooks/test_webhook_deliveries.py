"""What was sent to an endpoint: listed, looked at with its attempts, and sent again one by one."""

from __future__ import annotations

import json

import pytest
from receiving import Receiver
from webhook_kit import Hook, happen, make_hook, recorded_about

from tenantry.foundation.data.ids import EVENT_ID
from tenantry.testing import Installation, Team
from tenantry.webhooks import events

Reaching = tuple[Installation, Receiver]


async def test_deliveries_are_listed_newest_first_page_by_page_and_by_how_they_stand(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    ids = await happen(house, team, 5)
    receiver.answer(200, 500, 200, 500, 200)
    await house.deliver()
    failed = {one["id"] for one in await hook.deliveries("?state=pending")}
    assert len(failed) == 2
    assert [one["id"] for one in await hook.deliveries()] == ids[::-1]
    assert {one["id"] for one in await hook.deliveries("?state=delivered")} == set(ids) - failed
    seen, query = list[str](), "?limit=2"
    while True:
        page = (await hook.who.get(f"{hook.path}/deliveries{query}")).json
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        query = f"?limit=2&after={page['next']}"
    assert seen == ids[::-1]
    [give_up, _] = sorted(failed)
    await hook.by_hand(
        """
        with gone as (delete from tenantry.webhook_due where org_id = $1 and endpoint_id = $2 and event_id = $3)
        update tenantry.webhook_deliveries set failed_at = tenantry.now(), attempts = 10
         where org_id = $1 and endpoint_id = $2 and event_id = $3
        """,
        EVENT_ID.read(give_up),
    )
    [one] = await hook.deliveries("?state=failed")
    assert (one["id"], one["state"], one["attempts"], one["next_attempt_at"]) == (give_up, "failed", 10, None)
    assert one["ended_at"] is not None
    assert len(await hook.deliveries("?state=pending")) == 1


async def test_a_cursor_of_one_state_or_endpoint_is_none_of_another(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, receiver = reaching
    other = await make_hook(house, team.owner, team.org, receiver.url, events=["member.joined"])
    await happen(house, team, 2)
    await house.deliver()
    cursor = (await hook.who.get(f"{hook.path}/deliveries?limit=1")).json["next"]
    for path in (f"{other.path}/deliveries?after={cursor}", f"{hook.path}/deliveries?state=delivered&after={cursor}"):
        assert (await hook.who.get(path)).code == "bad_cursor"


async def test_deliveries_are_found_by_type_and_time(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, _ = reaching
    await hook.who.patch(hook.path, {"events": []})
    [joined] = await happen(house, team)
    await hook.who.post(f"{hook.path}/test")
    await house.deliver()
    [one] = await hook.deliveries("?type=member.joined")
    assert (one["id"], one["type"], one["version"]) == (joined, "member.joined", 1)
    assert {one["type"] for one in await hook.deliveries("?type=webhook_endpoint.*")} == {"webhook_endpoint.tested"}
    assert not await hook.deliveries("?type=member.removed")
    at = one["at"]
    assert joined in {one["id"] for one in await hook.deliveries(f"?from={at}")}
    assert joined not in {one["id"] for one in await hook.deliveries(f"?to={at}")}
    assert not await hook.deliveries("?from=2999-01-01T00:00:00Z")


async def test_a_delivery_shows_what_is_sent_and_every_attempt(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, receiver = reaching
    [joined] = await happen(house, team)
    receiver.answer(503)
    await house.deliver()
    await hook.who.post(f"{hook.path}/deliveries/{joined}/retry")
    await house.deliver()
    found = (await hook.who.get(f"{hook.path}/deliveries/{joined}")).json
    assert found["body"].encode() == receiver.heard[-1].body
    assert json.loads(found["body"])["id"] == joined == found["id"]
    assert [(one["number"], one["status"], one["error"]) for one in found["log"]] == [(2, 200, None), (1, 503, None)]
    assert found["log"][0]["answer"] == "heard"
    assert (found["state"], found["attempts"]) == ("delivered", 2)
    nowhere = f"{hook.path}/deliveries/evt_01jd4w2q8nf6v9m3x5c7b1r0kt"
    assert (await hook.who.get(nowhere)).status == (await hook.who.post(f"{nowhere}/retry")).status == 404


async def test_a_delivery_of_one_endpoint_is_none_of_another_and_of_no_other_organization(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    silent = await make_hook(house, team.owner, team.org, receiver.url, events=["org.changed"])
    rivals = await house.team("Rivals")
    own = await make_hook(house, rivals.owner, rivals.org, receiver.url)
    [joined] = await happen(house, team)
    await house.deliver()
    for path in (
        f"{silent.path}/deliveries/{joined}",
        f"{own.path}/deliveries/{joined}",
        f"{own.path.rpartition('/')[0]}/{hook.id}/deliveries/{joined}",
    ):
        who = rivals.owner if rivals.org in path else team.owner
        assert (await who.get(path)).status == 404
        assert (await who.post(f"{path}/retry")).status == 404
    assert (await rivals.owner.get(f"{hook.path}/deliveries")).status == 404


@pytest.mark.parametrize("how", ["pending", "failed", "delivered"])
async def test_a_retry_is_due_now_and_its_schedule_begins_anew(
    reaching: Reaching, team: Team, hook: Hook, how: str
) -> None:
    house, receiver = reaching
    [joined] = await happen(house, team)
    receiver.answer(200 if how == "delivered" else 500)
    await house.deliver()
    if how == "failed":
        await hook.by_hand("delete from tenantry.webhook_due where org_id = $1 and endpoint_id = $2")
        await hook.by_hand(
            """update tenantry.webhook_deliveries set failed_at = tenantry.now(), attempts = 1
                where org_id = $1 and endpoint_id = $2"""
        )
    await hook.by_hand(
        """update tenantry.webhook_lanes set paused_until = tenantry.now() + interval '1 hour'
            where org_id = $1 and endpoint_id = $2"""
    )
    answer = await hook.who.post(f"{hook.path}/deliveries/{joined}/retry")
    assert (answer.status, answer.json["state"], answer.json["attempts"]) == (202, "pending", 1)
    assert answer.json["ended_at"] is None
    assert not await hook.deliveries("?state=failed") + await hook.deliveries("?state=delivered")
    [due] = await house.rows("select * from tenantry.webhook_due where endpoint_id = $1", hook.uuid)
    assert (due["tries"], due["attempts"]) == (0, 1)
    assert await house.deliver() == 1
    assert receiver.ids == [joined, joined]
    assert (await hook.deliveries())[0]["attempts"] == 2
    assert await hook.states() == ["delivered"]
    [said] = await recorded_about(house, events.DeliveryRetried, hook)
    assert EVENT_ID.read(joined) is not None
    assert said["event_id"] == str(EVENT_ID.read(joined))


async def test_a_member_sees_and_does_nothing_of_all_that(team: Team, hook: Hook) -> None:
    assert (await team.member.get(f"{hook.path}/deliveries")).status == 403
    assert (await team.admin.get(f"{hook.path}/deliveries")).status == 200
