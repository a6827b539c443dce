"""An organization's events as a list: in the order of the log, none skipped, none of others, nothing of ours told."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from happening import RECORD, happens, writer
from tenancy_kit import tenant

from tenantry.foundation.data.ids import ORG_ID, USER_ID, IdKind, kind_of_field
from tenantry.foundation.data.sql import Many
from tenantry.foundation.domain import Registry
from tenantry.foundation.events import in_org
from tenantry.foundation.events.event import every_event
from tenantry.foundation.events.in_org import Filters, Happened
from tenantry.foundation.events.log import BEGINNING
from tenantry.foundation.events.outside import data_outside
from tenantry.testing import Client, Installation, Response, Team


@pytest.fixture
async def team(house: Installation) -> Team:
    return await house.team()


async def _events(who: Client, org: str, **query: str | int) -> Response:
    tail = "&".join(f"{name.rstrip('_')}={quote(str(value), safe='')}" for name, value in query.items())
    return await who.get(f"/v1/orgs/{org}/events" + (f"?{tail}" if tail else ""))


async def _kinds(who: Client, org: str, **query: str | int) -> list[str]:
    answer = await _events(who, org, **query)
    assert answer.status == 200, answer
    return [item["kind"] for item in answer.json["items"]]


async def _all(who: Client, org: str, **query: str | int) -> list[dict[str, Any]]:
    """Every item, page by page, until a page has none."""
    items: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while (answer := (await _events(who, org, **query, **more)).json)["items"]:
        items += answer["items"]
        if answer["next"] is None:
            break
        more = {"after": answer["next"]}
    return items


async def eventually(look: Any, within: float = 10) -> Any:
    """What a look finds, once it finds something."""
    async with asyncio.timeout(within):
        while True:
            if found := await look():
                return found
            await asyncio.sleep(0.02)


async def test_what_happened_is_read_in_both_directions(house: Installation, team: Team) -> None:
    assert (await team.owner.patch(team.path, {"name": "Acme & Co"})).status == 200
    assert (await team.owner.post(f"{team.path}/invites", {"email": "new@example.com", "role": "member"})).status == 201

    async def all_seen() -> list[str]:
        kinds = await _kinds(team.owner, team.org, order="position")
        return kinds if kinds[-1] == "orgs.invite_sent" else []

    kinds = await eventually(all_seen)
    assert kinds[0] == "orgs.org_created"
    assert kinds[-2:] == ["orgs.org_changed", "orgs.invite_sent"]
    assert await _kinds(team.owner, team.org) == kinds[::-1]
    for order in ("position", "-position"):
        one_by_one = await _all(team.owner, team.org, order=order, limit=1)
        at_once = (await _events(team.owner, team.org, order=order)).json["items"]
        assert one_by_one == at_once


async def test_an_item_says_who_did_what_with_ids_that_say_what_they_name(house: Installation, team: Team) -> None:
    assert (await team.admin.post(f"{team.path}/invites", {"email": "Bob@example.com", "role": "admin"})).status == 201
    (item,) = await eventually(lambda: _all(team.owner, team.org, kind="orgs.invite_sent"))
    assert item["actor"] == {"kind": "person", "id": team.admin.user_id}
    assert item["org_id"] == item["data"]["org_id"] == team.org
    assert item["data"]["invited_by"] == team.admin.user_id
    assert item["data"]["invite_id"].startswith("inv_")
    assert item["data"]["role"] == "admin"
    assert item["id"].startswith("evt_")
    assert item["version"] >= 1
    assert item["details"] == {"email": "Bob@example.com"}


async def test_nothing_that_is_told_says_where_it_is_in_the_log(house: Installation, team: Team) -> None:
    await eventually(lambda: _all(team.owner, team.org))
    rows = await house.rows(
        "select tx::text, id, public_id from tenantry.events where org_id = $1", ORG_ID.read(team.org)
    )
    answer = await _events(team.owner, team.org, order="position")
    assert answer.json["items"][0].keys() == {
        "id", "at", "kind", "version", "org_id", "actor", "request_id", "data", "details",
    }  # fmt: skip
    values = [str(value) for item in answer.json["items"] for part in (item, item["data"]) for value in part.values()]
    for row in rows:
        assert row["tx"] not in values
        assert str(row["id"]) not in values


async def test_two_looks_at_the_same_end_do_not_tell_whether_anybody_did_anything(
    house: Installation, team: Team
) -> None:
    ends = {(await _events(team.owner, team.org, order="position")).json["next"] for _ in range(5)}
    assert len(ends) == 5
    assert len({len(end) for end in ends}) == 1


async def test_what_is_personal_is_gone_once_it_is_erased(house: Installation, team: Team) -> None:
    await team.owner.post(f"{team.path}/invites", {"email": "gone@example.com", "role": "member"})
    (item,) = await eventually(lambda: _all(team.owner, team.org, kind="orgs.invite_sent"))
    assert item["details"] == {"email": "gone@example.com"}
    async with writer(house) as connection:
        await connection.execute("delete from tenantry.details where email_key = 'gone@example.com'")
    (item,) = await _all(team.owner, team.org, kind="orgs.invite_sent")
    assert item["details"] is None


async def test_who_may_read_it(house: Installation, team: Team) -> None:
    assert (await _events(team.owner, team.org)).status == 200
    assert (await _events(team.admin, team.org)).status == 200
    assert (await _events(team.member, team.org)).code == "forbidden"
    assert (await _events(team.stranger, team.org)).code == "not_found"
    assert (await house.client.get(f"{team.path}/events")).code == "unauthenticated"


async def test_events_are_filtered_by_kind_and_by_time(house: Installation, team: Team) -> None:
    await happens(house, team.org, "one")
    await eventually(lambda: _all(team.owner, team.org, kind="tests.happened"))
    assert set(await _kinds(team.owner, team.org, kind="tests.*")) == {"tests.happened"}
    of_orgs = await _kinds(team.owner, team.org, kind="orgs.*")
    assert "orgs.org_created" in of_orgs
    assert "tests.happened" not in of_orgs
    assert await _kinds(team.owner, team.org, kind="orgs.org_creat") == []
    (created,) = await _all(team.owner, team.org, kind="orgs.org_created")
    assert await _kinds(team.owner, team.org, to=created["at"], order="position") == []
    from_then_on = await _kinds(team.owner, team.org, from_=created["at"], order="position")
    assert from_then_on == await _kinds(team.owner, team.org, order="position")


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ({"kind": "orgs"}, "query.kind"),
        ({"kind": "%"}, "query.kind"),
        ({"kind": "*.*"}, "query.kind"),
        ({"from_": "yesterday"}, "query.from"),
        ({"from_": "2026-01-01T00:00:00"}, "query.from"),
        ({"to": "0001-01-01T00:00:00+23:59"}, "query.to"),
        ({"order": "at"}, "query.order"),
    ],
)
async def test_a_filter_that_is_none_is_refused(team: Team, query: dict[str, str], at: str) -> None:
    answer = await _events(team.owner, team.org, **query)
    assert (answer.status, answer.json["errors"][0]["at"]) == (422, at)


async def test_a_follower_polls_with_the_cursor_of_the_end(house: Installation, team: Team) -> None:
    await eventually(lambda: _all(team.owner, team.org, order="position"))
    for query in ({"order": "position"}, {"order": "position", "kind": "tests.*"}):
        seen: list[str] = []
        page = (await _events(team.owner, team.org, **query)).json
        for what in ("first", "second"):
            await happens(house, team.org, what)

            async def polled() -> bool:
                nonlocal page
                page = (await _events(team.owner, team.org, **query, after=page["next"])).json  # noqa: B023
                seen.extend(item["data"]["what"] for item in page["items"] if item["kind"] == "tests.happened")  # noqa: B023
                return what in seen  # noqa: B023

            await eventually(polled)
        assert seen[-2:] == ["first", "second"]
        assert (await _events(team.owner, team.org, **query, after=page["next"])).json["items"] == []


async def test_a_reader_who_wants_little_does_not_look_at_the_same_events_again(house: Installation) -> None:
    async with await (await tenant(house, "Rare")).work(reading=True) as work:
        found, reached = await in_org.read_on(work, BEGINNING, rows=5, filters=Filters(kind="nothing.such"))
    assert found == []
    assert reached.tx > 0


async def test_an_event_of_a_late_commit_is_not_lost(house: Installation, team: Team) -> None:
    seen: list[str] = []
    page = (await _events(team.owner, team.org, order="position")).json

    async def poll() -> list[str]:
        nonlocal page
        page = (await _events(team.owner, team.org, order="position", after=page["next"], limit=2)).json
        seen.extend(item["data"]["what"] for item in page["items"] if item["kind"] == "tests.happened")
        return seen

    async with writer(house) as slow:
        await slow.execute(RECORD, ORG_ID.read(team.org), '{"what": "late"}')
        for number in range(5):
            await happens(house, team.org, f"quick {number}")
        for _ in range(10):
            # its number is lower than theirs: whoever passed them would never come back for it
            assert await poll() == []
        # and this one's is higher, though it belongs before them: its transaction is the older one
        await slow.execute(RECORD, ORG_ID.read(team.org), '{"what": "later"}')

    async def complete() -> bool:
        return len(await poll()) >= 7

    await eventually(complete)
    assert seen == ["late", "later", *(f"quick {number}" for number in range(5))]


async def test_nothing_is_skipped_or_told_twice_while_many_write(house: Installation, team: Team) -> None:
    seen: list[str] = []
    cursor = (await _events(team.owner, team.org, order="position")).json["next"]

    async def write(name: int) -> None:
        for number in range(20):
            async with writer(house) as connection:
                await connection.execute(RECORD, ORG_ID.read(team.org), f'{{"what": "{name}.{number}"}}')
                if (name + number) % 3 == 0:
                    await connection.execute("select pg_sleep(0.02)")

    async def follow() -> None:
        nonlocal cursor
        while len(seen) < 80:
            page = (await _events(team.owner, team.org, order="position", after=cursor, limit=7)).json
            seen.extend(item["data"]["what"] for item in page["items"] if item["kind"] == "tests.happened")
            cursor = page["next"]

    async with asyncio.timeout(30):
        await asyncio.gather(follow(), *(write(name) for name in range(4)))
    assert len(seen) == len(set(seen)) == 80
    for name in range(4):
        assert [what for what in seen if what.startswith(f"{name}.")] == [f"{name}.{one}" for one in range(20)]


async def test_a_cursor_is_good_for_its_person_organization_order_and_filters_only(
    house: Installation, team: Team
) -> None:
    await eventually(lambda: _all(team.owner, team.org))
    other = (await team.owner.post("/v1/orgs", {"name": "Other"})).json["id"]
    for order in ("position", "-position"):
        cursor = (await _events(team.owner, team.org, order=order, limit=1)).json["next"]
        opposite = "position" if order == "-position" else "-position"
        refused = [
            await _events(team.admin, team.org, order=order, after=cursor),
            await _events(team.owner, other, order=order, after=cursor),
            await _events(team.owner, team.org, order=opposite, after=cursor),
            await _events(team.owner, team.org, order=order, after=cursor, kind="orgs.*"),
            await _events(team.owner, team.org, order=order, after=cursor[:-2] + "AA"),
            await _events(team.owner, team.org, order=order, after=""),
        ]
        assert [answer.code for answer in refused] == ["bad_cursor"] * 6
        assert (await _events(team.owner, team.org, order=order, after=cursor)).status == 200


async def test_two_organizations_of_one_person_are_never_mixed(house: Installation, team: Team) -> None:
    other = (await team.owner.post("/v1/orgs", {"name": "Other"})).json["id"]
    for org in (team.org, other):
        await happens(house, org, org)
        (item,) = await eventually(lambda org=org: _all(team.owner, org, kind="tests.*"))  # type: ignore[misc]
        assert item["data"]["what"] == org
        assert {item["org_id"] for item in await _all(team.owner, org)} == {org}


@pytest.mark.parametrize("statement", [in_org.oldest_first, in_org.newest_first])
async def test_the_next_few_events_are_found_by_an_index(
    house: Installation, team: Team, statement: Many[Happened]
) -> None:
    given = dict.fromkeys(statement.parameters) | {"epoch": 1, "tx": 5, "number": 0, "rows": 5}
    given |= {"below_epoch": 1, "below_tx": 2**40}
    async with writer(house) as connection:
        # as a member, behind whose wall a condition that could tell of hidden rows is of no use to an index
        await connection.execute(
            "set local role tenantry_app; set local enable_seqscan = off; set local enable_sort = off"
        )
        await connection.execute("select set_config('tenantry.org', $1, true)", str(ORG_ID.read(team.org)))
        plan = await connection.fetch("explain " + statement.sql, *statement.arguments(given))
    text = "\n".join(row[0] for row in plan)
    assert not re.search(r"-> +Sort ", text), text
    assert re.search(r"Index Cond: \(\(org_id = .*ROW\(epoch, tx, id\) [<>]", text), text


def test_of_every_id_in_an_organizations_events_it_is_known_what_it_names(registry: Registry) -> None:
    unknown = [
        f"{kind.kind}: {field}"
        for kind in every_event()
        if "org_id" in kind.__struct_fields__ and kind.__module__.startswith("tenantry.")
        for field, annotation in kind.__annotations__.items()
        if "UUID" in str(annotation) and kind_of_field(field) is None
    ]
    assert unknown == []


def test_what_is_called_like_an_id_and_is_none_stays_what_it_is() -> None:
    person = USER_ID.new()
    payload = f'{{"granted_by": "plan", "user_id": null, "revoked_by": "{person}", "marks": ["{person}"], "count": 1}}'
    assert data_outside(payload) == {
        "granted_by": "plan", "user_id": None, "revoked_by": USER_ID.text(person), "marks": [str(person)], "count": 1,
    }  # fmt: skip


def test_a_field_names_what_its_declaration_says() -> None:
    leaf = IdKind("leaf", "leaf_id")
    assert kind_of_field("leaf_id") is leaf
    assert kind_of_field("last_leaf_id") is leaf
    assert kind_of_field("from_user_id") is USER_ID
    assert kind_of_field("revoked_by") is USER_ID
    assert kind_of_field("cloverleaf_id") is None
    assert kind_of_field("by") is USER_ID
    assert kind_of_field("request_id") is None
    assert isinstance(leaf.new(), UUID)
