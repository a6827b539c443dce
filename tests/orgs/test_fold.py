"""An organization's tables at any instant, rebuilt from its events alone, are what its rows were."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
import msgspec
import pytest
from org_closing import Place, as_house, as_owner, founded, user_of
from pasts import FOLDED, Past, Rows

from tenantry.accounts.domain import domain as accounts
from tenantry.foundation.domain import BadDomains, Domain, Registry
from tenantry.foundation.events import folding
from tenantry.foundation.events.event import Event, Upcast
from tenantry.foundation.events.folding import Fold, Said, Tables, Unfoldable, fold
from tenantry.foundation.work import SystemWork
from tenantry.orgs import actions, history
from tenantry.orgs.domain import domain as orgs
from tenantry.testing import HandClock, Installation
from tenantry.testing.installation import MASTER_KEYS

SEEDS, STEPS, MOST_STEPS = (11, 47), 220, 2_500
BETWEEN_LOOKS, INSTANTS, ORGS, ROWS_AT_LEAST = 20, 6, 4, 200


# the catalogue


async def test_every_column_of_an_organizations_tables_comes_back_or_is_named(database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    assert {one.table for one in history.FOLDS} == set(orgs.tables)
    for one in history.FOLDS:
        found = await owner.fetch(
            "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped",
            f"tenantry.{one.table}",
        )
        folded = set(one.row.__struct_fields__)
        assert not folded & one.left_out.keys()
        assert {row["attname"] for row in found} == folded | one.left_out.keys(), one.table
        assert {*one.ids, *one.erasable} <= folded
    await owner.close()


# random pasts


Plain = dict[str, list[dict[str, Any]]]


def _as_they_come_back(rows: Rows, folded: Plain, past: Past) -> Plain:
    """Rows as a fold should give them: the columns that come back, without the addresses that were forgotten since."""
    there: Plain = {}
    for one in history.FOLDS:
        kept = [{name: row[name] for name in one.row.__struct_fields__} for row in rows[one.table]]
        there[one.table] = _sorted(kept)
    erased = {row["id"] for row in folded["invites"] if row["email"] is None}
    forgotten = {row["id"] for row in rows["invites"] if row["email_key"] in past.forgotten}
    assert erased <= forgotten
    for row in there["invites"]:
        # one that was sent to a forgotten address at the same moment, or later, is not forgotten
        row["email"] = None if row["id"] in erased else row["email"]
    return there


def _sorted(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row.get("id") or row.get("user_id") or row.get("slug")))


async def _at(house: Installation, org_id: UUID, at: datetime) -> Plain:
    async with SystemWork(as_house(house), reason="a test", reading=True) as work:
        tables: Tables = await fold(work, house.registry.folds, org_id=org_id, at=at)
    return {name: _sorted(map(msgspec.structs.asdict, tables[name])) for name in FOLDED}


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_fold_of_a_random_past_of_every_verb_gives_the_rows_of_each_instant(
    clocked: Installation, clock: HandClock, seed: int
) -> None:
    past = Past(clocked, clock, random.Random(seed))
    for _ in range(4):
        await past.arrive()
    compared = 0
    while len(past.noted) < STEPS or (past.unused() and len(past.noted) < MOST_STEPS):
        await past.step()
        if len(past.noted) % BETWEEN_LOOKS == 0:
            compared += await _compared(past)
    assert not past.unused(), "nothing in pasts.py makes these verbs happen"
    assert compared > ROWS_AT_LEAST
    # what was purged has no history to be rebuilt from
    left = set(past.noted[-1][1])
    for org_id in {org_id for _, rows in past.noted for org_id in rows} - left:
        assert await _at(clocked, org_id, clock.now) == {table: [] for table in FOLDED}


async def _compared(past: Past) -> int:
    """How many rows came back as they were, now and at some instants of before."""
    there, compared = past.noted[-1][1].keys(), 0
    for at, rows in [*past.chance.sample(past.noted[:-1], INSTANTS), past.noted[-1]]:
        for org_id in past.chance.sample(sorted(there & rows.keys()), min(len(there & rows.keys()), ORGS)):
            folded = await _at(past.house, org_id, at)
            assert folded == _as_they_come_back(rows[org_id], folded, past), at
            compared += sum(map(len, folded.values()))
    return compared


# order, and what an instant is


async def _rows_now(place: Place) -> Plain:
    found: Plain = {}
    for one in history.FOLDS:
        key = "id" if one.table == "orgs" else "org_id"
        rows = await place.house.rows(f"select * from tenantry.{one.table} where {key} = $1", place.uuid)
        found[one.table] = _sorted({name: row[name] for name in one.row.__struct_fields__} for row in rows)
    return found


async def _moment(house: Installation) -> datetime:
    [row] = await house.rows("select tenantry.tick() as moment")
    moment: datetime = row["moment"]
    return moment


async def test_of_two_changes_of_a_row_the_second_counts_though_its_transaction_was_the_first(
    installation: Installation,
) -> None:
    place = await founded(installation)
    member = await place.joined("member")
    async with await as_owner(place) as first:
        # from here on it has its number
        await actions.change_org(first, name="Renamed")
        async with await as_owner(place) as second:
            await actions.change_role(second, user_id=user_of(member), role="admin", version=None)
        await actions.change_role(first, user_id=user_of(member), role="member", version=None)
    told = await installation.rows(
        "select payload from tenantry.events where kind = 'orgs.member_role_changed' order by tx, id"
    )
    assert [json.loads(row["payload"])["version_after"] for row in told] == [3, 2], "the log's order is the other one"
    folded = await _at(installation, place.uuid, await _moment(installation))
    assert folded == await _rows_now(place)
    assert [(row["role"], row["version"]) for row in folded["members"] if row["user_id"] == user_of(member)] == [
        ("member", 3)
    ]


async def test_an_instant_has_nothing_that_builds_on_what_came_after_it(installation: Installation) -> None:
    place, newcomer = await founded(installation), await installation.person()
    before = await _rows_now(place)
    async with await as_owner(place) as slow:
        instant = await _moment(installation)
        await place.joined("member", newcomer)
        # it began before the instant, and changes what was not there then
        await actions.change_role(slow, user_id=user_of(newcomer), role="admin", version=None)
    assert await _at(installation, place.uuid, instant) == before
    folded = await _at(installation, place.uuid, await _moment(installation))
    assert folded == await _rows_now(place)
    assert len(folded["members"]) == 2


async def test_before_its_founding_there_is_nothing_of_an_organization(installation: Installation) -> None:
    before = await _moment(installation)
    place = await founded(installation)
    assert await _at(installation, place.uuid, before) == {table: [] for table in FOLDED}


async def test_another_organizations_events_are_none_of_this_ones(installation: Installation) -> None:
    one, other = await founded(installation), await founded(installation)
    await other.joined("admin")
    assert await _at(installation, one.uuid, await _moment(installation)) == await _rows_now(one)


async def test_a_history_without_its_beginning_is_refused(installation: Installation) -> None:
    place = await founded(installation)
    await installation.rows(
        "insert into tenantry.events (public_id, org_id, kind, version, payload, actor, request_id)"
        " values (gen_random_uuid(), $1, 'orgs.member_left', 1, $2, '{}', 'a-test')",
        place.uuid,
        json.dumps({"org_id": str(place.uuid), "user_id": str(place.uuid), "why": "left"}),
    )
    with pytest.raises(Unfoldable, match=r"orgs\.member_left at .* changes a row of members"):
        await _at(installation, place.uuid, await _moment(installation))


async def test_a_long_history_is_read_in_parts(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "AT_ONCE", 2)
    place = await founded(installation)
    for role in ("admin", "member", "member"):
        await place.joined(role)
    assert await _at(installation, place.uuid, await _moment(installation)) == await _rows_now(place)


# what others fold


class Counted(Event, frozen=True):
    """Something was counted; once by ones, by now by a number."""

    kind = "counting.counted"
    version = 2
    upcasts: ClassVar[Mapping[int, Upcast]] = {1: lambda payload: payload | {"times": 1}}
    org_id: UUID
    times: int


class Count(msgspec.Struct, frozen=True):
    """How much was counted."""

    times: int


def _counts() -> Fold[Count]:
    counts = Fold("counts", Count, ids={}, left_out={})

    @counts.on(Counted)
    def _counted(rows: dict[str, Count], said: Said[Counted]) -> None:
        before = rows.get("all", Count(0)).times
        rows["all"] = Count(before + said.event.times)

    return counts


async def test_a_plugin_folds_its_own_tables_and_reads_what_was_written_long_ago(
    installation: Installation, tmp_path: Path
) -> None:
    counting = Domain(name="counting", needs=("orgs",), migrations=tmp_path, folds=(_counts(),))
    known = Registry((accounts, orgs, counting))
    assert list(known.folds) == [*FOLDED, "counting.counts"]
    place = await founded(installation)
    for version, payload in ((1, {}), (2, {"times": 5})):
        await installation.rows(
            "insert into tenantry.events (public_id, org_id, kind, version, payload, actor, request_id)"
            " values (gen_random_uuid(), $1, 'counting.counted', $2, $3, '{}', 'a-test')",
            place.uuid,
            version,
            json.dumps(payload | {"org_id": str(place.uuid)}),
        )
    async with SystemWork(as_house(installation), reason="a test", reading=True) as work:
        tables = await fold(work, known.folds, org_id=place.uuid, at=datetime.now(UTC) + timedelta(minutes=1))
    assert tables["counting.counts"] == [Count(6)]
    assert len(tables["members"]) == 1


def test_a_table_is_folded_once_and_by_each_event_in_one_way() -> None:
    with pytest.raises(BadDomains, match=r"the fold counts is declared twice"):
        Registry((Domain(name="one", folds=(_counts(),)), Domain(name="two", folds=(_counts(),))))
    with pytest.raises(TypeError, match="Counted changes counts already"):
        _counts().on(Counted)(lambda rows, said: None)


# the command


async def _command(house: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "TENANTRY_ENVIRONMENT": "development",
        "TENANTRY_DATABASE_URL": house.runtime.database.url,
        "TENANTRY_DATA": house.runtime.settings.data,
        "TENANTRY_MASTER_KEYS": MASTER_KEYS,
    }
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TENANTRY_")}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tenantry", *words],
        env=inherited | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


async def test_an_operator_sees_what_an_organization_was_and_what_is_erased(house: Installation) -> None:
    place = await founded(house, "Then Ltd")
    sent = await place.owner.post(f"{place.path}/invites", {"email": "gone@example.com", "role": "admin"})
    assert sent.status == 201
    instant = (await _moment(house)).isoformat()
    await place.owner.patch(place.path, {"name": "Now Ltd"}, headers={"if-match": "*"})
    asked = ("events", "fold", "--org", place.id, "--at", instant)
    told = await _command(house, *asked)
    assert told.returncode == 0, told.stderr
    assert 'name="Then Ltd"' in told.stdout
    assert f'user_id="{place.owner.user_id}"  role="owner"  version=1' in told.stdout
    assert f'id="{sent.json["id"]}"  email="gone@example.com"  role="admin"  status="pending"' in told.stdout
    forgotten = await _command(house, "people", "forget-address", "--address", "Gone@example.com")
    assert (forgotten.returncode, forgotten.stdout) == (0, "address: Gone@example.com\n"), forgotten.stderr
    told = await _command(house, *asked)
    assert "gone@" not in told.stdout.lower()
    assert "email=(erased)" in told.stdout
    answer = json.loads((await _command(house, *asked, "--json")).stdout)
    assert [one["email"] for one in answer["tables"]["invites"]] == [None]
    assert [one["user_id"] for one in answer["tables"]["members"]] == [place.owner.user_id]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--org", "org_01jd4w2q8nf6v9m3x5c7b1r0kt", "--at", "2026-01-01T00:00:00Z"), 1, "nothing had happened"),
        (("--org", "acme", "--at", "2026-01-01"), 2, "--org"),
        (("--org", "org_01jd4w2q8nf6v9m3x5c7b1r0kt", "--at", "yesterday"), 2, "--at"),
    ],
)
async def test_folding_what_makes_no_sense_is_refused(
    house: Installation, words: tuple[str, ...], code: int, sentence: str
) -> None:
    done = await _command(house, "events", "fold", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr
