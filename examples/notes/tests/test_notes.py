"""Notes: written, found, shared and thrown away, each in its organization."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
from aiohttp.test_utils import TestServer

from tenantry import Call, NewJob, SystemWork
from tenantry.flags.actions import override_flag
from tenantry.foundation.call import Actor
from tenantry.foundation.data.ids import ORG_ID
from tenantry.plans.actions import give_plan
from tenantry.testing import Client, Installation, Team, cross_tenant_matrix, fate_faults, statement_faults, wall_faults


async def _write(team: Team, who: Client, text: str) -> str:
    answer = await who.post(f"{team.path}/notes", {"text": text})
    assert answer.status == 201, answer
    return str(answer.json["id"])


async def _found(team: Team, who: Client, query: str = "") -> list[str]:
    return [note["text"] for note in (await who.get(f"{team.path}/notes{query}")).json["items"]]


def _as_house(house: Installation) -> SystemWork:
    return SystemWork(Call(house.runtime, Actor("cli"), "a-test"), reason="a test")


def _org_id(team: Team) -> UUID:
    found = ORG_ID.read(team.org)
    assert found is not None
    return found


async def _put_on(house: Installation, team: Team, plan: str) -> None:
    async with _as_house(house) as work:
        await give_plan(work, org_id=_org_id(team), plan=plan, source="grant")


async def test_a_note_is_its_authors_until_it_is_shared(house: Installation, team: Team) -> None:
    note = await _write(team, team.member, "Buy milk.")
    assert await _found(team, team.member) == ["Buy milk."]
    assert await _found(team, team.owner) == []
    assert (await team.member.post(f"{team.path}/notes/{note}/sharing")).json["shared"] is True
    assert await _found(team, team.owner) == ["Buy milk."]
    await house.assert_recorded("notes.note_shared")


async def test_nobody_shares_or_removes_what_is_not_theirs(team: Team) -> None:
    note = await _write(team, team.member, "Mine.")
    for who in (team.owner, team.admin, team.stranger):
        assert (await who.post(f"{team.path}/notes/{note}/sharing")).status == 404
        assert (await who.delete(f"{team.path}/notes/{note}")).status == 404
    assert (await team.member.delete(f"{team.path}/notes/{note}")).status == 204
    assert await _found(team, team.member) == []


async def test_notes_are_found_by_their_words(team: Team) -> None:
    for text in ("Buy milk and bread.", "Call the bank.", "Milk the cow."):
        await _write(team, team.member, text)
    assert await _found(team, team.member, "?q=milk") == ["Milk the cow.", "Buy milk and bread."]
    assert await _found(team, team.member, "?q=milk%20-cow") == ["Buy milk and bread."]


async def test_hashtags_are_kept_by_a_job(house: Installation, team: Team) -> None:
    await _write(team, team.member, "Paint the shed #Home #summer")
    await _write(team, team.member, "Paint nothing")
    assert await _found(team, team.member, "?tag=home") == []
    await house.drain_jobs()
    assert await _found(team, team.member, "?tag=home") == ["Paint the shed #Home #summer"]


async def test_an_import_says_how_far_it_is(house: Installation, team: Team) -> None:
    asked = await team.member.post(f"{team.path}/notes/imports", {"texts": ["One.", "Two.", "Three."]})
    assert asked.status == 202, asked
    place = f"{team.path}/jobs/{asked.json['job']}"
    assert (await team.member.get(place)).json["state"] == "waiting"
    await house.drain_jobs()
    job = (await team.member.get(place)).json
    assert (job["state"], job["progress"]["done"], job["progress"]["total"]) == ("done", 3, 3)
    assert sorted(await _found(team, team.member)) == ["One.", "Three.", "Two."]


async def test_a_plan_has_room_for_so_many_notes_however_many_are_written_at_once(
    house: Installation, team: Team
) -> None:
    await _put_on(house, team, "small")
    texts = [{"text": f"Note {number}."} for number in range(12)]
    answers = await asyncio.gather(*(team.member.post(f"{team.path}/notes", text) for text in texts))
    assert sorted(answer.status for answer in answers) == [201] * 3 + [402] * 9
    [notes] = [one for one in (await team.member.get(f"{team.path}/quotas")).json["items"] if one["limit"] == "notes"]
    assert (notes["used"], notes["allowed"], notes["reason"]["plan"]) == (3, 3, "small")
    written = next(answer.json["id"] for answer in answers if answer.status == 201)
    assert (await team.member.delete(f"{team.path}/notes/{written}")).status == 204
    assert [(await team.member.post(f"{team.path}/notes", text)).status for text in texts[:2]] == [201, 402]


async def test_imports_are_a_feature_and_make_no_more_notes_than_there_is_room_for(
    house: Installation, team: Team
) -> None:
    await _put_on(house, team, "small")
    asked = await team.member.post(f"{team.path}/notes/imports", {"texts": ["One."]})
    assert (asked.status, asked.json["code"], asked.json["feature"]) == (402, "feature_needed", "note_imports")
    await _put_on(house, team, "import")
    for texts, state in ((["1", "2", "3", "4"], "failed"), (["1", "2", "3"], "done")):
        asked = await team.member.post(f"{team.path}/notes/imports", {"texts": texts})
        await house.drain_jobs()
        assert (await team.member.get(f"{team.path}/jobs/{asked.json['job']}")).json["state"] == state
    assert sorted(await _found(team, team.member)) == ["1", "2", "3"]


async def _shared(team: Team, note: str) -> int:
    return (await team.member.post(f"{team.path}/notes/{note}/sharing")).status


async def test_a_flag_turns_sharing_off(house: Installation, team: Team) -> None:
    note = await _write(team, team.member, "Mine.")
    async with _as_house(house) as work:
        await override_flag(work, org_id=_org_id(team), key="notes.sharing", variant="off", reason="a test")
    async with asyncio.timeout(10):
        # another process may have it for a second
        while await _shared(team, note) != 404:
            pass
    assert await _shared(team, note) == 404


async def test_an_organization_is_told_of_its_notes_by_webhook_and_not_what_they_say(
    house: Installation, team: Team, receiver: TestServer, told: list[dict[str, Any]]
) -> None:
    asked = {"url": str(receiver.make_url("/")), "events": ["note.*"]}
    assert (await team.owner.post(f"{team.path}/webhook-endpoints", asked)).status == 201
    note = await _write(team, team.member, "Buy milk.")
    await team.member.post(f"{team.path}/notes/{note}/sharing")
    await team.member.delete(f"{team.path}/notes/{note}")
    await house.deliver()
    about = {"org_id": team.org, "note_id": note}
    wrote = {"user_id": team.member.user_id}
    assert {one["type"]: one["data"] for one in told} == {
        "note.written": about | wrote,
        "note.shared": about,
        "note.removed": about,
    }
    items = (await house.client.get("/v1/webhook-event-types")).json["items"]
    known = {one["type"]: one["sentence"] for one in items}
    assert known["note.shared"] == "A note was shown to everybody in its organization."


async def test_notes_are_counted_by_day(house: Installation, team: Team) -> None:
    for text in ("One.", "Two."):
        await _write(team, team.member, text)
    await house.drain_consumers()
    [day] = (await team.owner.get(f"{team.path}/notes/days")).json["items"]
    assert day["written"] == 2


async def test_old_days_are_forgotten_by_themselves(house: Installation, team: Team) -> None:
    await house.rows(
        "insert into notes.days (org_id, generation, day, written) select id, 1, '2020-02-02', 7 from tenantry.orgs "
        "returning day"
    )
    await house.ask(NewJob("notes.forget_old_days"))
    await house.drain_jobs()
    assert not await house.rows("select from notes.days where day = '2020-02-02'")


async def test_who_is_removed_leaves_no_private_notes_behind(house: Installation, team: Team) -> None:
    shared = await _write(team, team.member, "For all.")
    await team.member.post(f"{team.path}/notes/{shared}/sharing")
    await _write(team, team.member, "For me.")
    assert (await team.owner.delete(f"{team.path}/members/{team.member.user_id}")).status == 204
    left = await house.rows("select text from notes.notes where text in ('For all.', 'For me.')")
    assert [row["text"] for row in left] == ["For all."]


async def test_no_note_reaches_another_organization(house: Installation) -> None:
    report = await cross_tenant_matrix(house)
    assert report.requests > 0
    assert not report.leaks, report


async def test_the_schema_keeps_to_the_rules(house: Installation) -> None:
    owner: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(house.runtime.database.url)
    try:
        assert not await wall_faults(owner, "notes")
        assert not await fate_faults(owner, house.registry)
        assert not await statement_faults(owner, "notes")
    finally:
        await owner.close()
