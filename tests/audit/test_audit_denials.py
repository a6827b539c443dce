"""Denials: one row for all that is the same in a minute, whoever floods, and no answer that depends on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from trail_kit import org_id, rows_of, user_id

from tenantry.foundation import denials, gathered
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.gathered import MOST_TARGETS, Gathered, Merged
from tenantry.testing import Databases, HandClock, Installation, installed
from tenantry.testing.team import Team

DENIED = "select * from tenantry.audit_log where outcome = 'denied' and actor_id = $1 order by at, action"
PATIENCE = 10.0


@pytest.fixture(scope="module")
async def still(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """A house whose clock stands still, so that a minute does not end in the middle of a test."""
    folder = tmp_path_factory.mktemp("still")
    clock = HandClock(folder / "clock")
    async with databases.fresh() as url, installed(url, folder, registry=registry, environ=clock.environ) as running:
        yield running


@pytest.fixture
async def team(still: Installation) -> Team:
    """An organization with somebody new in each role."""
    return await still.team()


async def _until(condition: Callable[[], Awaitable[Any]]) -> Any:
    ends = time.monotonic() + PATIENCE
    while not (found := await condition()):
        assert time.monotonic() < ends, "it did not come about"
        await asyncio.sleep(0.05)
    return found


async def _denied(house: Installation, person: Any, *, times: int) -> list[asyncpg.Record]:
    async def counted() -> list[asyncpg.Record]:
        found = await house.rows(DENIED, user_id(person))
        return found if sum(row["times"] for row in found) >= times else []

    found: list[asyncpg.Record] = await _until(counted)
    return found


async def test_the_first_denial_is_written_before_it_is_answered(still: Installation, team: Team) -> None:
    answer = await team.member.patch(team.path, {"name": "Mine"})
    assert (answer.status, answer.code) == (403, "forbidden")
    [row] = await rows_of(still, answer)
    assert row["after"] == '{"refused": "forbidden", "permission": "org:write"}'
    assert (row["action"], row["org_id"], row["target_id"]) == (
        "orgs:request:change_org",
        org_id(team.org),
        org_id(team.org),
    )


async def test_a_hundred_of_the_same_in_a_minute_are_one_row_that_counts_them(still: Installation, team: Team) -> None:
    answers = await asyncio.gather(*(team.member.patch(team.path, {"name": "Mine"}) for _ in range(100)))
    assert {answer.status for answer in answers} == {403}
    [row] = await _denied(still, team.member, times=100)
    assert row["times"] == 100
    assert row["at"].second == 0
    details = await still.rows("select from tenantry.details where row_id = $1 and about = 'actor'", row["id"])
    assert len(details) == 1
    beside_nothing = "select from tenantry.details where row_id not in (select id from tenantry.audit_log)"
    assert await still.rows(beside_nothing) == []


async def test_another_person_target_or_operation_is_another_row(still: Installation, team: Team) -> None:
    await team.member.delete(f"{team.path}/members/{team.owner.user_id}")
    await team.member.delete(f"{team.path}/members/{team.admin.user_id}")
    await team.member.get(f"{team.path}/invites")
    await team.stranger.get(f"{team.path}/invites")
    assert len(await _denied(still, team.member, times=3)) == 3
    [alone] = await _denied(still, team.stranger, times=1)
    assert (alone["org_id"], alone["person_id"]) == (None, user_id(team.stranger))
    assert (alone["target_kind"], alone["target_id"]) == ("org", org_id(team.org))


async def test_whoever_tries_one_thing_after_the_other_fills_no_table(still: Installation, team: Team) -> None:
    for _ in range(6 * MOST_TARGETS):
        await team.stranger.get(f"/v1/orgs/{ORG_ID.text(ORG_ID.new())}/members")
    found = await _denied(still, team.stranger, times=6 * MOST_TARGETS)
    # twice as many where a minute of the process ends meanwhile
    assert MOST_TARGETS < len(found) <= 2 * MOST_TARGETS + 1
    [rest] = [row for row in found if row["target_id"] is None]
    assert rest["times"] >= 4 * MOST_TARGETS


async def test_a_token_for_another_organization_is_denied_and_remembered(still: Installation, team: Team) -> None:
    other = await team.owner.post("/v1/orgs", {"name": "Other"})
    bound = await team.owner.post("/v1/auth/switch-org", {"org": other.json["id"]})
    token = {"authorization": f"Bearer {bound.json['access_token']}"}
    answer = await still.client.get(team.path, headers=token)
    assert answer.status == 404
    [row] = await rows_of(still, answer)
    assert (row["outcome"], row["org_id"], row["target_id"]) == ("denied", None, org_id(team.org))


async def test_nobody_learns_from_the_log_whether_there_is_such_a_thing(still: Installation, team: Team) -> None:
    missing = await team.owner.get(f"{team.path}/members/{USER_ID.text(USER_ID.new())}")
    assert missing.status == 404
    assert await rows_of(still, missing) == []
    nobody = await still.client.get("/v1/users/me")
    assert nobody.status == 401
    assert await rows_of(still, nobody) == []


async def test_a_denial_that_cannot_be_written_changes_no_answer_and_is_written_later(
    still: Installation, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise asyncpg.PostgresError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(denials, "_keep", broken)
        answer = await team.member.patch(team.path, {"name": "Mine"})
        assert (answer.status, answer.code) == (403, "forbidden")
        assert await rows_of(still, answer) == []
        assert still.runtime.gathered.waiting
    [row] = await _denied(still, team.member, times=1)
    assert row["request_id"] == answer.headers["x-request-id"]


async def test_a_request_holds_one_connection_at_a_time_while_it_is_denied(narrow: Installation) -> None:
    team = await narrow.team()
    async with asyncio.timeout(5):
        answer = await team.member.patch(team.path, {"name": "Mine"})
    assert answer.status == 403
    assert len(await rows_of(narrow, answer)) == 1
    assert narrow.runtime.database.pool.in_use == 0


async def test_what_waits_is_written_when_the_process_ends(
    databases: Databases, registry: Registry, tmp_path: Path
) -> None:
    async with databases.fresh() as url:
        async with installed(url, tmp_path, registry=registry) as running:
            team = await running.team()
            for _ in range(20):
                await team.member.patch(team.path, {"name": "Mine"})
            who = user_id(team.member)
        async with installed(url, tmp_path, registry=registry) as later:
            assert sum(row["times"] for row in await later.rows(DENIED, who)) == 20


async def test_a_denial_whose_commit_was_not_answered_keeps_no_other_back(
    narrow: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, doing = denials._keep, denials.Doing("a:b:c", "denied", None)

    async def unanswered(*given: Any) -> None:
        await keep(*given)
        raise TimeoutError

    team = await narrow.team()
    with monkeypatch.context() as patch:
        patch.setattr(denials, "_keep", unanswered)
        answer = await team.member.patch(team.path, {"name": "Mine"})
    assert narrow.runtime.gathered.waiting
    other = USER_ID.new()
    for _ in range(2):
        await denials.remember(Call(narrow.runtime, Actor("person", other, USER_ID.new()), "another"), doing)
    await denials.settle(narrow.runtime)
    assert sum(row["times"] for row in await narrow.rows(DENIED, other)) == 2
    assert await rows_of(narrow, answer)


@pytest.mark.parametrize("cut_off", ["the request", "the process"])
async def test_a_denial_that_is_cut_off_as_it_is_written_is_not_lost(narrow: Installation, cut_off: str) -> None:
    runtime, who = narrow.runtime, USER_ID.new()
    call, doing = Call(runtime, Actor("person", who, USER_ID.new()), "r"), denials.Doing("a:b:c", "denied", None)
    if cut_off == "the process":
        await denials.remember(call, doing)
    connection = await asyncpg.connect(runtime.database.url)
    async with connection.transaction():
        await connection.execute("lock table tenantry.audit_log in access exclusive mode")
        request = asyncio.create_task(denials.remember(call, doing))
        waits = "select from pg_locks where relation = 'tenantry.audit_log'::regclass and not granted"
        await _until(lambda: connection.fetch(waits))
        request.cancel()
        await asyncio.wait([request])
        ending = asyncio.create_task(denials.settle(runtime))
        await asyncio.sleep(0)
    await connection.close()
    await ending
    expected = 2 if cut_off == "the process" else 1
    assert sum(row["times"] for row in await narrow.rows(DENIED, who)) == expected


async def test_after_an_outage_of_any_length_what_waits_is_written(
    still: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, who = still.runtime, USER_ID.new()

    async def broken(*_: Any) -> None:
        runtime.gathered.failed += 5_000
        raise asyncpg.PostgresError("no room")

    call, doing = Call(runtime, Actor("person", who, USER_ID.new()), "r"), denials.Doing("a:b:c", "denied", None)
    monkeypatch.setattr(denials, "LONGEST_PAUSE", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(denials, "_keep", broken)
        await denials.remember(call, doing)
    await _until(lambda: still.rows(DENIED, who))


async def test_a_flood_costs_a_write_a_second_for_each_that_is_the_same(
    still: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    async def counting(_: Any, taken: list[Merged]) -> None:
        written.extend(merged.key for merged in taken)

    monkeypatch.setattr(denials, "_keep", counting)
    call = Call(still.runtime, Actor("person", USER_ID.new(), USER_ID.new()), "a-request-of-a-test")
    for _ in range(500):
        await denials.remember(call, denials.Doing("a:b:c", "denied", None))
    assert len(written) == 1
    await _until(lambda: _true(not still.runtime.gathered.waiting))
    assert len(written) == 2


async def _true(said: bool) -> bool:
    return said


def test_what_a_process_keeps_in_mind_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathered, "MOST_WAITING", 3)
    kept = Gathered()
    assert [kept.add(Merged(str(number), (), None)) for number in range(5)] == [True, True, True, False, False]
    assert kept.add(Merged("0", (), None))
    assert kept.give_back(kept.take(["0", "1"])) == 0
    assert kept.waiting["0"].times == 2


async def test_the_application_can_neither_change_nor_remove_a_row(house: Installation) -> None:
    connection = await asyncpg.connect(house.runtime.database.url)
    for role in ("tenantry_app", "tenantry_system"):
        for statement in (
            "update tenantry.audit_log set action = 'x'",
            "delete from tenantry.audit_log",
            "truncate tenantry.audit_log",
            "insert into tenantry.audit_log (at, id, action, actor_kind, request_id)"
            " values ('2020-01-01', gen_random_uuid(), 'x', 'x', 'x')",
            "delete from tenantry.audit_seals",
            "update tenantry.audit_seals set digest = ''",
        ):
            allowed = role == "tenantry_system" and statement.startswith(("delete from tenantry.audit_log", "insert"))
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(f"set local role {role}")
            if allowed:
                assert await connection.execute(statement) in {"DELETE 0", "INSERT 0 1"}
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
            await transaction.rollback()
    await connection.close()
