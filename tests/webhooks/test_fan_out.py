"""Fanning out: who is told what, once, in the order of the log, and in one commit with how far it was read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from telling_kit import WITH_TRIAL, Telling, public
from told_trial import Counted, Labelled, Moved

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import EVENT_ID, USER_ID
from tenantry.foundation.events.consumer import ConsumerWork, consumer
from tenantry.foundation.events.log import BEGINNING, Logged, read_log
from tenantry.foundation.events.versions import TooNew
from tenantry.foundation.work import SystemWork
from tenantry.testing import Databases, Installation, installed
from tenantry.webhooks import actions
from tenantry.webhooks.actions import fanning
from tenantry.webhooks.models import LARGEST, Told, is_told


@pytest.fixture(scope="module")
async def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """A house with boxes, in which nothing is sent."""
    folder: Path = tmp_path_factory.mktemp("telling")
    async with databases.fresh() as url, installed(url, folder, registry=WITH_TRIAL) as running:
        yield running


@pytest.fixture
async def telling(house: Installation) -> Telling:
    """An organization of one's own, with nothing before it to be read."""
    team = await house.team()
    await house.drain_consumers()
    return Telling(house, team)


def _moved(telling: Telling, to: str = "attic") -> Moved:
    return Moved(org_id=telling.org, moved_by=None, to=to, shelf=3)


async def _logged(telling: Telling) -> list[Logged]:
    """What of the organization stands in the log."""
    call = Call(telling.house.runtime, Actor("cli"), "req")
    async with SystemWork(call, reason="a test", reading=True) as work:
        return list((await read_log(work, BEGINNING, 10_000, org=telling.org)).events)


def _house_work(telling: Telling) -> SystemWork:
    return SystemWork(Call(telling.house.runtime, Actor("cli"), "req"), reason="a test")


async def test_what_happens_in_an_organization_is_told_to_its_endpoints_and_nobody_elses(
    house: Installation, telling: Telling
) -> None:
    other = Telling(house, await house.team("Beta"))
    await house.drain_consumers()
    ours, theirs = await telling.endpoint(), await other.endpoint()
    invited = await telling.team.owner.post(
        f"{telling.team.path}/invites", {"email": "cleo@told.example", "role": "member"}
    )
    assert invited.status == 201
    await telling.fanned_out()
    assert await other.told(theirs) == []
    (row,) = await house.rows(
        """
        select event.public_id, event.at, event.request_id, message.request_id as told_id, body, type, message.at as on
          from tenantry.webhook_messages as message join tenantry.events as event on public_id = event_id
         where message.org_id = $1
        """,
        telling.org,
    )
    body = json.loads(row["body"])
    assert list(body) == ["id", "type", "version", "timestamp", "data"]
    assert body["id"] == public(row["public_id"])
    assert (body["type"], body["version"], row["type"]) == ("invite.sent", 1, "invite.sent")
    assert datetime.fromisoformat(body["timestamp"]) == row["at"] == row["on"]
    assert body["timestamp"].endswith("Z")
    assert body["data"]["org_id"] == telling.team.org
    assert USER_ID.read(body["data"]["invited_by"]) is not None
    assert "cleo" not in row["body"]
    assert row["body"] == json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    assert row["request_id"] == row["told_id"]
    (due,), (delivery,), lane = await telling.due(ours), await telling.deliveries(ours), await telling.lane(ours)
    assert (due["tries"], due["attempts"], due["at"]) == (0, 0, row["at"])
    assert (delivery["type"], delivery["attempts"], delivery["failed_at"]) == ("invite.sent", 0, None)
    assert lane["due_at"] <= due["due_at"]


@pytest.mark.parametrize(
    ("wanted", "heard"),
    [
        ((), ["box.moved", "box.labelled"]),
        (("box.*",), ["box.moved", "box.labelled"]),
        (("box.labelled",), ["box.labelled"]),
        (("box.label", "bo.*", "crate.*"), []),
    ],
)
async def test_an_endpoint_hears_of_the_types_it_chose(
    telling: Telling, wanted: tuple[str, ...], heard: list[str]
) -> None:
    endpoint = await telling.endpoint(*wanted)
    await telling.say(_moved(telling), Counted(org_id=telling.org), Labelled(org_id=telling.org, label="x"))
    await telling.fanned_out()
    assert await telling.types(endpoint) == heard


async def test_an_endpoint_is_told_nothing_while_it_is_disabled_when_it_is_deleted_or_of_before_it_was_made(
    telling: Telling,
) -> None:
    deaf = [
        await telling.endpoint(disabled=True),
        await telling.endpoint(deleted=True),
        await telling.endpoint(made_in=60.0),
    ]
    hearing = await telling.endpoint()
    await telling.say(_moved(telling))
    await telling.fanned_out()
    assert [len(await telling.deliveries(one)) for one in deaf] == [0, 0, 0]
    assert await telling.types(hearing) == ["box.moved"]


async def test_what_was_asked_of_one_endpoint_is_told_it_alone_and_the_rest_about_it_the_others(
    telling: Telling,
) -> None:
    one, other = await telling.endpoint("box.*"), await telling.endpoint()
    about = {"org_id": str(telling.org), "endpoint_id": str(one)}
    await telling.written("webhooks.endpoint_tested", 1, about | {"tested_by": str(uuid4())})
    await telling.written("webhooks.endpoint_deleted", 1, about)
    await telling.fanned_out()
    assert await telling.types(one) == ["webhook_endpoint.tested"]
    assert await telling.types(other) == ["webhook_endpoint.deleted"]


async def test_an_endpoint_does_not_hear_of_itself(telling: Telling) -> None:
    one = await telling.endpoint()
    about = {"org_id": str(telling.org), "endpoint_id": str(one)}
    await telling.written("webhooks.endpoint_deleted", 1, about)
    await telling.fanned_out()
    assert await telling.types(one) == []


async def test_what_waits_is_sent_in_the_order_of_the_log(telling: Telling) -> None:
    endpoint = await telling.endpoint()
    for part in range(2):
        await telling.say(*(_moved(telling, f"{part}.{place}") for place in range(40)))
    await telling.fanned_out()
    told = [one["data"]["to"] for one in await telling.told(endpoint)]
    assert told == [f"{part}.{place}" for part in range(2) for place in range(40)]


async def test_what_is_fanned_out_twice_is_told_once(telling: Telling) -> None:
    endpoint = await telling.endpoint()
    await telling.say(_moved(telling))
    await telling.fanned_out()
    logged = [one for one in await _logged(telling) if one.kind == "told_trial.moved"]
    async with _house_work(telling) as work:
        assert await actions.fan_out(work, happened=logged) == 0
    assert len(await telling.due(endpoint)) == len(await telling.deliveries(endpoint)) == 1


async def test_a_lane_that_is_due_earlier_stays_so_and_one_that_is_later_is_raised(telling: Telling) -> None:
    early, late = await telling.endpoint(), await telling.endpoint()
    set_due = (
        "update tenantry.webhook_lanes set due_at = tenantry.now() + $2 * interval '1 hour' where endpoint_id = $1"
    )
    await telling.as_house(set_due, early, -1)
    await telling.as_house(set_due, late, 1)
    before = (await telling.lane(early))["due_at"]
    await telling.say(_moved(telling))
    await telling.fanned_out()
    assert (await telling.lane(early))["due_at"] == before
    assert (await telling.lane(late))["due_at"] <= (await telling.due(late))[0]["due_at"]


async def test_the_sender_is_called_once_something_waits(telling: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    await telling.endpoint()
    await telling.say(_moved(telling))
    rung: list[object] = []
    monkeypatch.setattr(type(telling.house.runtime.bell), "ring", lambda *_, **more: rung.append(more))
    await telling.fanned_out()
    assert len(rung) == 1


async def test_an_event_that_is_too_large_has_failed_at_once_and_holds_up_nothing(telling: Telling) -> None:
    endpoint = await telling.endpoint()
    room = LARGEST - 300
    await telling.say(
        Labelled(org_id=telling.org, label="x" * room),
        Labelled(org_id=telling.org, label="x" * LARGEST),
        _moved(telling),
    )
    await telling.fanned_out()
    assert await telling.types(endpoint) == ["box.labelled", "box.moved"]
    assert len(await telling.due(endpoint)) == 2
    (failed,) = [one for one in await telling.deliveries(endpoint) if one["failed_at"]]
    (attempt,) = await telling.house.rows("select * from tenantry.webhook_attempts where endpoint_id = $1", endpoint)
    assert (failed["attempts"], attempt["number"], attempt["status"]) == (1, 1, None)
    assert attempt["error"] == "This event is larger than the 256 KiB that are sent at most."
    assert attempt["event_id"] == failed["event_id"]


async def test_an_event_that_nobody_can_read_has_failed_at_once_and_holds_up_nothing(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanning, "ROLLED_OUT_WITHIN", 0)
    endpoint = await telling.endpoint("box.*")
    await telling.written("told_trial.moved", 3, {"org_id": str(telling.org)})
    await telling.written("told_trial.moved", 4, {"anything": 1})
    await telling.say(_moved(telling))
    await telling.fanned_out()
    assert await telling.types(endpoint) == ["box.moved"]
    errors = await telling.house.rows("select error from tenantry.webhook_attempts where endpoint_id = $1", endpoint)
    assert [row["error"] for row in errors] == ["What was written down of this event cannot be read."] * 2


async def test_an_event_of_a_release_that_is_being_rolled_out_is_waited_for(
    databases: Databases, tmp_path: Path
) -> None:
    async with databases.fresh() as url, installed(url, tmp_path, registry=WITH_TRIAL) as house:
        telling = Telling(house, await house.team())
        endpoint = await telling.endpoint("box.*")
        await telling.say(_moved(telling, "before"))
        await telling.written("told_trial.moved", 4, {"anything": 1})
        await telling.say(_moved(telling, "behind"))
        with pytest.raises(TooNew, match="of version 4, and this release knows 3"):
            await telling.fanned_out()
        assert [one["data"]["to"] for one in await telling.told(endpoint)] == ["before"]


async def test_what_is_asked_for_again_is_as_if_never_tried_but_for_its_attempts(telling: Telling) -> None:
    done, waits, new = [await telling.endpoint("never.told") for _ in range(3)]
    await telling.say(_moved(telling))
    (event,) = [one for one in await _logged(telling) if one.kind == "told_trial.moved"]
    day = datetime(2030, 1, 1, tzinfo=UTC).date()

    async def queue(*endpoints: object, again: bool) -> int:
        told = [Told(telling.org, endpoint, day, event) for endpoint in endpoints]  # type: ignore[arg-type]
        async with _house_work(telling) as work:
            return await actions.queue(work, told=told, again=again)

    assert await queue(done, waits, again=False) == 2
    await telling.as_house("delete from tenantry.webhook_due where endpoint_id = $1", done)
    await telling.as_house(
        "update tenantry.webhook_deliveries set attempts = 4, delivered_at = tenantry.now() where endpoint_id = $1",
        done,
    )
    await telling.as_house(
        "update tenantry.webhook_due set tries = 3, attempts = 3, due_at = due_at + interval '9 hours'"
        " where endpoint_id = $1",
        waits,
    )
    # retention has removed what it said
    await telling.as_house("delete from tenantry.webhook_messages where org_id = $1", telling.org)
    assert await queue(done, waits, again=False) == 0
    assert await queue(done, waits, new, again=True) == 3
    (first,), (second,), (third,) = [await telling.due(one) for one in (done, waits, new)]
    assert (first["tries"], first["attempts"]) == (0, 4)
    assert (second["tries"], second["attempts"]) == (0, 3)
    assert second["due_at"] < datetime.now(UTC) + timedelta(hours=1)
    assert (third["tries"], third["attempts"]) == (0, 0)
    (delivery,) = await telling.deliveries(done)
    assert (delivery["delivered_at"], delivery["failed_at"], delivery["attempts"]) == (None, None, 4)
    assert [one["id"] for one in await telling.told(done)] == [EVENT_ID.text(event.public_id)]


async def test_what_arrived_once_and_cannot_be_told_any_more_stays_as_it_is(telling: Telling) -> None:
    endpoint = await telling.endpoint()
    await telling.say(Labelled(org_id=telling.org, label="fragile"))
    await telling.fanned_out()
    await telling.as_house("delete from tenantry.webhook_due where endpoint_id = $1", endpoint)
    arrived = "update tenantry.webhook_deliveries set delivered_at = tenantry.now() where endpoint_id = $1"
    await telling.as_house(arrived, endpoint)
    (event,) = [one for one in await _logged(telling) if one.kind == "told_trial.labelled"]
    async with _house_work(telling) as work:
        told = [Told(telling.org, endpoint, datetime(2026, 1, 1, tzinfo=UTC).date(), event)]
        assert await actions.queue(work, told=told, again=True) == 0
    (delivery,) = await telling.deliveries(endpoint)
    assert delivery["delivered_at"] is not None
    assert (delivery["version"], delivery["failed_at"], await telling.due(endpoint)) == (2, None, [])


async def test_nobody_removes_an_endpoint_before_what_it_is_to_be_told_is_written(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await telling.endpoint()
    await telling.say(_moved(telling))
    raise_lanes = fanning.raise_lanes

    async def after_somebody_tried(work: SystemWork, **lanes: Any) -> int:
        with pytest.raises(asyncpg.LockNotAvailableError):
            await telling.as_house(
                "begin; set local lock_timeout = '100ms'; delete from tenantry.webhook_endpoints where id = "
                f"'{endpoint}'; commit"
            )
        return await raise_lanes(work, **lanes)

    monkeypatch.setattr(fanning, "raise_lanes", after_somebody_tried)
    await telling.fanned_out()
    assert await telling.types(endpoint) == ["box.moved"]


async def test_what_no_domain_declares_any_more_is_not_asked_for_again(telling: Telling) -> None:
    endpoint = await telling.endpoint()
    await telling.written("gone_away.happened", 1, {})
    gone = [one for one in await _logged(telling) if one.kind == "gone_away.happened"]
    told = [Told(telling.org, endpoint, datetime.now(UTC).date(), one) for one in gone]
    async with _house_work(telling) as work:
        assert await actions.queue(work, told=told, again=True) == 0


def test_a_consumer_names_its_events_or_picks_them() -> None:
    with pytest.raises(TypeError, match="names its events, or picks them"):
        consumer(Moved, picks=is_told)(_reads_nothing)


async def _reads_nothing(work: ConsumerWork, happened: Sequence[Logged]) -> None:
    """Read nothing."""


def test_fanning_out_reads_what_is_told_and_nothing_else() -> None:
    (reader,) = [one for one in WITH_TRIAL.consumers if one.name == "webhooks.fan_out"]
    assert set(reader.kinds or ()) == {kind.kind for kind in WITH_TRIAL.events if kind.webhook}
    assert "told_trial.moved" in (reader.kinds or ())
    assert "told_trial.counted" not in (reader.kinds or ())
