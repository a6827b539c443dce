"""Reading the audit log: by admins, newest first, filtered, page by page; and that it is read is in it too."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import asyncpg
import pytest
from trail_kit import house_call, org_id, rows_of, user_id

from tenantry.accounts import actions as accounts
from tenantry.audit import queries
from tenantry.audit.models import Filters
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, SESSION_ID, USER_ID
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.testing import Client, Installation
from tenantry.testing.team import Team

HOSTILE = "Evil/1.0 \x1b[2J=cmd|' /C calc'!A0 \x9b31m"


@pytest.fixture(scope="module")
async def team(house: Installation) -> Team:
    """An organization in which a few things happened."""
    team = await house.team()
    await team.owner.post(f"{team.path}/invites", {"email": "bob@example.com", "role": "member"})
    path = f"{team.path}/members/{team.member.user_id}"
    await team.owner.patch(path, {"role": "admin"}, headers={"if-match": "*"})
    await team.owner.patch(path, {"role": "member"}, headers={"if-match": "*"})
    await team.member.patch(team.path, {"name": "Mine"})
    await team.owner.patch(team.path, {"name": "Acme Ltd"})
    return team


async def _items(person: Client, team: Team, query: str = "") -> list[dict[str, Any]]:
    answer = await person.get(f"{team.path}/audit-log{query}")
    assert answer.status == 200, answer
    found: list[dict[str, Any]] = answer.json["items"]
    return found


def _at(item: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(item["at"])


async def test_admins_read_it_and_members_do_not(team: Team) -> None:
    assert await _items(team.owner, team)
    assert await _items(team.admin, team)
    assert (await team.member.get(f"{team.path}/audit-log")).code == "forbidden"
    assert (await team.stranger.get(f"{team.path}/audit-log")).status == 404


async def test_an_entry_tells_who_did_what_to_whom_from_where(team: Team) -> None:
    first, *_ = await _items(team.owner, team, "?action=orgs:member:role_changed")
    assert first["id"].startswith("evt_")
    assert first["actor"] == {"kind": "person", "id": team.owner.user_id, "name": "Ada Lovelace"}
    assert first["target"] == {"kind": "user", "id": team.member.user_id, "label": team.member.email}
    assert (first["outcome"], first["times"], first["on_behalf_of"]) == ("done", 1, None)
    assert (first["before"]["role"], first["after"]["role"]) == ("admin", "member")
    assert first["address"] == "127.0.0.1"
    assert "aiohttp" in first["user_agent"]
    assert first["request_id"]


async def test_each_thing_is_labelled_by_what_a_reader_knows_it_by(team: Team) -> None:
    labels = {one["action"]: one["target"]["label"] for one in await _items(team.owner, team, "?limit=100")}
    assert labels["orgs:invite:sent"] == "bob@example.com"
    assert labels["orgs:org:changed"].startswith("acme")
    assert labels["orgs:member:joined"]


async def test_a_renaming_shows_both_names(team: Team) -> None:
    [renamed] = await _items(team.owner, team, "?action=orgs:org:changed")
    assert (renamed["before"]["name"], renamed["after"]["name"]) == ("Acme", "Acme Ltd")


async def test_filters_narrow(team: Team) -> None:
    everything = await _items(team.owner, team, "?limit=100")
    assert {one["action"] for one in await _items(team.owner, team, "?action=orgs:member")} == {
        "orgs:member:role_changed",
        "orgs:member:joined",
    }
    assert await _items(team.owner, team, "?action=orgs:memb") == []
    assert {one["outcome"] for one in await _items(team.owner, team, "?outcome=denied")} == {"denied"}
    assert {one["actor"]["id"] for one in await _items(team.owner, team, f"?actor={team.member.user_id}")} == {
        team.member.user_id
    }
    changed = await _items(team.owner, team, f"?target={team.member.user_id}")
    assert len([one for one in changed if one["action"] == "orgs:member:role_changed"]) == 2
    middle = everything[2]["at"]
    later = await _items(team.owner, team, f"?limit=100&from={middle.replace('+', '%2B')}")
    earlier = await _items(team.owner, team, f"?limit=100&to={middle.replace('+', '%2B')}")
    assert {one["id"] for one in everything} <= {one["id"] for one in (*later, *earlier)}
    assert all(_at(one) >= _at(everything[2]) for one in later)
    assert all(_at(one) < _at(everything[2]) for one in earlier)


@pytest.mark.parametrize(
    "query",
    ["?actor=org_01jd4w2q8nf6v9m3x5c7b1r0kt", "?target=nonsense", "?action=Orgs%25", "?outcome=maybe", "?from=today",
     "?target=usr_zz", "?limit=1000", "?order=at", "?x=1"],
)  # fmt: skip
async def test_a_filter_that_means_nothing_is_refused(team: Team, query: str) -> None:
    assert (await team.owner.get(f"{team.path}/audit-log{query}")).status == 422


@pytest.mark.parametrize("side", ["from", "to"])
@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_an_instant_that_an_offset_moves_out_of_the_calendar_is_refused(team: Team, side: str, edge: str) -> None:
    listed = await team.owner.get(f"{team.path}/audit-log?{side}={edge.replace('+', '%2B')}")
    assert (listed.status, listed.json["errors"][0]["at"]) == (422, f"query.{side}")
    exported = await team.owner.post(f"{team.path}/audit-log/export", {"format": "csv", side: edge})
    assert (exported.status, exported.json["errors"][0]["at"]) == (422, f"body.{side}")


async def test_pages_show_each_entry_once_newest_first(team: Team) -> None:
    seen: list[dict[str, Any]] = []
    path = f"{team.path}/audit-log?action=orgs&limit=2"
    answer = await team.owner.get(path)
    while True:
        seen += answer.json["items"]
        if answer.json["next"] is None:
            break
        answer = await team.owner.get(f"{path}&after={answer.json['next']}")
    assert len({one["id"] for one in seen}) == len(seen) >= 6
    assert [_at(one) for one in seen] == sorted(map(_at, seen), reverse=True)
    assert {one["id"] for one in seen} == {one["id"] for one in await _items(team.owner, team, "?action=orgs&limit=99")}
    after = (await team.owner.get(path)).json["next"]
    assert (await team.owner.get(f"{team.path}/audit-log?action=audit&limit=2&after={after}")).code == "bad_cursor"
    assert (await team.admin.get(f"{path}&after={after}")).code == "bad_cursor"


async def test_that_it_is_read_is_written_once_a_minute_for_each_who_reads(clocked: Installation) -> None:
    team = await clocked.team()
    for _ in range(5):
        await _items(team.admin, team)
    await _items(team.owner, team)
    read = await _items(team.owner, team, "?action=audit:log:read")
    assert {one["actor"]["id"] for one in read} == {team.owner.user_id, team.admin.user_id}
    assert len(read) == 2
    assert all(one["id"].startswith("aud_") for one in read)


async def test_a_hostile_user_agent_and_name_come_back_harmless(house: Installation, team: Team) -> None:
    person = await house.person(name="=HYPERLINK(1)")
    joined = await team.owner.post(f"{team.path}/invites", {"email": person.email, "role": "admin"})
    raw = {"user-agent": HOSTILE.replace("\x1b", " ")}
    await person.post("/v1/invites/acceptance", {"invite": joined.json["id"]}, headers=raw)
    [accepted] = await _items(team.owner, team, f"?actor={person.user_id}&action=orgs:invite:accepted")
    assert accepted["user_agent"].isprintable()
    assert accepted["actor"]["name"] == "=HYPERLINK(1)"


async def test_what_no_server_lets_through_is_harmless_as_well(house: Installation) -> None:
    call = Call(house.runtime, Actor("cli"), "hostile-agent", "127.0.0.1", f"{HOSTILE}\0\r\n" + "x" * 5000)
    person = await house.person()
    async with SystemWork(call, reason="a test") as work:
        await accounts.revoke_sessions(work, user_id=user_id(person))
    [row] = await rows_of(house, "hostile-agent")
    assert len(row["whereabouts"]) < 700
    assert "\\\\x1b[2J" in row["whereabouts"]
    assert "\\\\x00" in row["whereabouts"]


async def test_erased_details_are_null_and_the_entry_stays(house: Installation, team: Team) -> None:
    person = await house.person()
    sent = await team.owner.post(f"{team.path}/invites", {"email": person.email, "role": "member"})
    await person.post("/v1/invites/acceptance", {"invite": sent.json["id"]})
    await person.delete(f"{team.path}/members/me")
    query = f"?actor={person.user_id}&action=orgs:member:left"
    [left] = await _items(team.owner, team, query)
    assert left["target"]["label"] == person.email
    async with SystemWork(house_call(house), reason="a test") as work:
        await work.runtime.fates["details"].statement(  # type: ignore[misc]
            work, user_id=user_id(person), email_key=person.email
        )
    [left] = await _items(team.owner, team, query)
    assert left["target"] == {"kind": "user", "id": person.user_id, "label": None}
    assert (left["address"], left["user_agent"], left["after"]) == (None, None, {"why": "left"})


@pytest.fixture(scope="module")
async def crowded(house: Installation) -> Team:
    """An organization with many entries among many of others."""
    team = await house.team()
    owner: asyncpg.Connection[Any] = await asyncpg.connect(house.runtime.database.url)
    async with owner.transaction():
        await owner.execute("set local role tenantry_system")
        await owner.execute(
            """
            insert into tenantry.audit_log (at, id, org_id, action, actor_kind, actor_id, request_id)
            select tenantry.now() - place * interval '1 second', gen_random_uuid(),
                   case when place % 10 = 0 then $1::uuid else ($2::uuid[])[1 + place % 99] end,
                   'orgs:member:left', 'person', gen_random_uuid(), 'many'
              from generate_series(1, 40000) as place
            """,
            org_id(team.org),
            [ORG_ID.new() for _ in range(99)],
        )
    await owner.execute("analyze tenantry.audit_log")
    await owner.close()
    return team


async def _actor(house: Installation, person: Client) -> Actor:
    claims = await house.runtime.keys.verify(person.tokens["access_token"])
    return Actor("person", USER_ID.read(claims.sub), SESSION_ID.read(claims.sid))


@pytest.mark.parametrize("narrowed", [Filters(), Filters(action="orgs"), Filters(actor=USER_ID.new())])
async def test_a_page_is_found_by_an_index(house: Installation, crowded: Team, narrowed: Filters) -> None:
    call = Call(house.runtime, await _actor(house, crowded.owner), "explaining")
    statement = queries.entries_newest_first
    values = statement.arguments(narrowed.given() | {"after_key": None, "after_id": None, "rows": 51})
    async with OrgWork(call, org_id(crowded.org), reading=True) as work:
        plan = [row[0] for row in await work.connection.fetch(f"explain (costs off) {statement.sql}", *values)]
    # months in which nothing happened are read whole, which is nothing
    full = await house.rows("select tableoid::regclass::text from tenantry.audit_log group by 1 having count(*) > 1000")
    for month in (row[0].removeprefix("tenantry.") for row in full):
        assert not [line for line in plan if f"Seq Scan on {month}" in line], "\n".join(plan)
    assert [line for line in plan if "org_id" in line and "Index Cond" in line], "\n".join(plan)


async def test_a_page_of_a_long_log_takes_no_time(crowded: Team) -> None:
    for query in ("", "?action=orgs:member", f"?actor={crowded.admin.user_id}"):
        began = time.monotonic()
        await _items(crowded.owner, crowded, query)
        assert time.monotonic() - began < 1.0, query
