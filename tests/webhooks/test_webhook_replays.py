"""Replays: what failed, what was missed, or all of it, sent again by a job that can die at any moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from receiving import Receiver
from webhook_kit import Hook, happen, make_hook, recorded_about

from tenantry.foundation.data.ids import EVENT_ID
from tenantry.testing import Installation, Response, Team
from tenantry.webhooks import events
from tenantry.webhooks.jobs import replaying

Reaching = tuple[Installation, Receiver]


def _ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


async def _replay(hook: Hook, which: str, **body: Any) -> Response:
    return await hook.who.post(f"{hook.path}/replay", {"since": hook.said["created_at"], "which": which} | body)


async def _done(hook: Hook, answer: Response) -> dict[str, Any]:
    """How the job stands once everything that is due is done."""
    assert answer.status == 202, answer
    await hook.house.drain_jobs()
    return dict((await hook.who.get(f"/v1/orgs/{hook.org}/jobs/{answer.json['job']}")).json)


async def _give_up(hook: Hook, *deliveries: str) -> None:
    await hook.by_hand(
        """
        with gone as (
            delete from tenantry.webhook_due where org_id = $1 and endpoint_id = $2 and event_id = any ($3::uuid[])
        )
        update tenantry.webhook_deliveries set failed_at = tenantry.now(), delivered_at = null
         where org_id = $1 and endpoint_id = $2 and event_id = any ($3::uuid[])
        """,
        [EVENT_ID.read(one) for one in deliveries],
    )


@pytest.fixture(autouse=True, params=[500, 1])
def _pages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "PAGE", request.param)


async def test_what_failed_is_sent_again_and_nothing_else(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, receiver = reaching
    other = await make_hook(house, team.owner, team.org, receiver.url, events=["member.joined"])
    ids = await happen(house, team, 4)
    await house.deliver()
    await _give_up(hook, ids[0], ids[2])
    await _give_up(other, ids[1])
    receiver.heard.clear()
    job = await _done(hook, await _replay(hook, "failed"))
    assert (job["state"], job["progress"]["done"]) == ("done", 2)
    assert await house.deliver() == 2
    assert receiver.ids == [ids[0], ids[2]]
    assert await hook.states() == ["delivered"] * 4
    assert (await other.states("?state=failed")) == ["failed"]
    [said] = await recorded_about(house, events.DeliveriesReplayed, hook)
    assert said["which"] == "failed"


async def test_what_was_missed_is_told_to_whoever_wants_it_and_what_was_told_is_not(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    [told] = await happen(house, team)
    await house.deliver()
    await hook.who.patch(hook.path, {"enabled": False})
    missed = await happen(house, team, 3)
    await team.owner.patch(team.path, {"name": "Not wanted"})
    await hook.who.post(f"{hook.path}/test")
    await house.deliver()
    receiver.heard.clear()
    await hook.who.patch(hook.path, {"enabled": True})
    job = await _done(hook, await _replay(hook, "missed"))
    assert (job["state"], job["progress"]["done"]) == ("done", 3)
    await house.deliver()
    assert receiver.ids == missed
    assert told not in receiver.ids
    assert (await _done(hook, await _replay(hook, "missed")))["progress"]["done"] == 0


async def test_all_is_what_arrived_too_but_not_what_waits_anyway(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, receiver = reaching
    await happen(house, team, 3)
    await house.deliver()
    arrived = [one["id"] for one in await hook.deliveries()][::-1]
    await _give_up(hook, arrived[1])
    receiver.answer(500)
    [waits] = await happen(house, team)
    await house.deliver()
    [due] = await house.rows("select due_at, tries from tenantry.webhook_due where endpoint_id = $1", hook.uuid)
    receiver.heard.clear()
    assert (await _done(hook, await _replay(hook, "all")))["progress"]["done"] == 3
    assert list(
        await house.rows(
            "select due_at, tries from tenantry.webhook_due where endpoint_id = $1 and event_id = $2",
            hook.uuid,
            EVENT_ID.read(waits),
        )
    ) == [due]
    await house.deliver()
    assert receiver.ids == arrived


async def test_a_replay_tells_nothing_from_out_of_its_span(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, receiver = reaching
    before = await happen(house, team)
    await house.deliver()
    since = (await hook.deliveries())[0]["at"]
    inside = await happen(house, team, 2)
    await house.deliver()
    until = (await hook.deliveries())[0]["at"]
    await _give_up(hook, *before, *inside)
    receiver.heard.clear()
    await _done(hook, await _replay(hook, "failed", since=since, until=until))
    await house.deliver()
    assert receiver.ids == [before[0], inside[0]]
    receiver.heard.clear()
    await _done(hook, await _replay(hook, "all", since=since, until=until))
    await house.deliver()
    assert receiver.ids == [before[0], inside[0]]


async def test_what_nobody_could_tell_is_no_span(hook: Hook) -> None:
    for body in (
        {"since": _ago(days=31)},
        {"since": _ago(hours=1), "until": _ago(hours=2)},
        {"since": _ago(hours=-1)},
    ):
        answer = await _replay(hook, "all", **body)
        assert answer.status == 422, body
        assert [one["at"] for one in answer.json["errors"]] == ["body.since"]
    assert (await _replay(hook, "some")).status == 422


async def test_one_replay_of_an_endpoint_at_a_time(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, receiver = reaching
    other = await make_hook(house, team.owner, team.org, receiver.url)
    answers = await asyncio.gather(*(_replay(hook, "all") for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [202, 409, 409, 409]
    assert {answer.code for answer in answers} == {None, "replay_under_way"}
    assert (await _replay(other, "all")).status == 202
    await house.drain_jobs()
    assert (await _replay(hook, "all")).status == 202
    await house.drain_jobs()


async def test_a_replay_that_died_begins_anew_and_what_it_told_is_told_by_the_same_ids(
    reaching: Reaching, team: Team, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, receiver = reaching
    await hook.who.patch(hook.path, {"enabled": False})
    ids = await happen(house, team, 3)
    await house.deliver()
    await hook.who.patch(hook.path, {"enabled": True})
    monkeypatch.setattr(replaying, "PAGE", 2)
    whole, pages = replaying.actions.replay_happened, list[int]()

    async def dying(*args: Any, **kwargs: Any) -> Any:
        pages.append(1)
        # the first is about the endpoint itself, the second about the first who joined
        if len(pages) == 3:
            raise RuntimeError("dies")
        return await whole(*args, **kwargs)

    monkeypatch.setattr(replaying.actions, "replay_happened", dying)
    answer = await _replay(hook, "all")
    await house.drain_jobs()
    await house.deliver()
    assert receiver.ids == ids[:2]
    assert (await _replay(hook, "all")).code == "replay_under_way"
    await house.rows("update tenantry.jobs set due = true, run_at = tenantry.now() where kind = 'webhooks.replay'")
    job = await _done(hook, answer)
    assert job["state"] == "done"
    await house.deliver()
    assert set(receiver.ids) == set(ids)
    assert receiver.ids.count(ids[2]) == 1


@pytest.mark.parametrize("which", ["failed", "missed", "all"])
async def test_a_replay_ends_at_an_endpoint_that_is_not_enabled_any_more(
    reaching: Reaching, team: Team, hook: Hook, which: str
) -> None:
    house, receiver = reaching
    ids = await happen(house, team, 2)
    await house.deliver()
    await _give_up(hook, *ids)
    receiver.heard.clear()
    answer = await _replay(hook, which)
    await hook.who.delete(hook.path)
    assert (await _done(hook, answer))["state"] == "done"
    await house.deliver()
    assert not receiver.heard
    assert await hook.count("webhook_due") == 0


async def test_an_endpoint_can_be_told_what_happened_before_it_was_made(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    ids = await happen(house, team, 2)
    await house.deliver()
    late = await make_hook(house, team.owner, team.org, receiver.url, events=["member.joined"])
    receiver.heard.clear()
    await _done(late, await _replay(late, "missed", since=hook.said["created_at"]))
    await house.deliver()
    assert receiver.ids == ids


async def test_what_is_asked_of_one_endpoint_is_told_no_other_and_what_happened_to_it_not_itself(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    other = await make_hook(house, team.owner, team.org, receiver.url, events=["org.changed"])
    await hook.who.post(f"{hook.path}/test")
    await hook.who.patch(hook.path, {"events": []})
    await house.deliver()
    await other.who.patch(other.path, {"events": []})
    receiver.heard.clear()
    assert (await _done(other, await _replay(other, "missed", since=hook.said["created_at"])))["state"] == "done"
    await house.deliver()
    told = [(one.json["type"], one.json["data"].get("endpoint_id")) for one in receiver.heard]
    assert ("webhook_endpoint.changed", hook.id) in told
    assert "webhook_endpoint.tested" not in dict(told)
    assert other.id not in {about for type, about in told if type == "webhook_endpoint.created"}
