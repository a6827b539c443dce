"""Seals: whatever is changed, removed or put in behind the house's back is named, and what was let go is not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from trail_kit import house_call, on_schedule, org_id, rows_of, user_id

from tenantry.audit import actions, cli
from tenantry.audit.exchanges import Verdict, verify_audit
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.domain import Registry
from tenantry.foundation.security.resealing import reseal
from tenantry.foundation.security.succession import replace_at_once
from tenantry.foundation.work import SystemWork
from tenantry.plans.actions import give_plan
from tenantry.testing import HandClock, Installation
from tenantry.testing.installation import installed
from tenantry.testing.team import Team

PATIENCE = 10.0


async def _seal(house: Installation) -> int:
    async with SystemWork(house_call(house), reason="a test") as work:
        return await actions.seal_audit(work)


async def _all_sealed(house: Installation) -> Verdict:
    """Seal until nothing is left; another test's transaction may be in the way for a moment."""
    ends = time.monotonic() + PATIENCE
    while (verdict := await verify_audit(house_call(house))).not_sealed_yet:
        assert time.monotonic() < ends, "not everything was sealed"
        if not await _seal(house):
            await asyncio.sleep(0.05)
    return verdict


async def _behind(house: Installation, statement: str, *arguments: object) -> None:
    """Do something as whoever owns the server would: nothing of ours keeps them from it."""
    connection = await asyncpg.connect(house.runtime.database.url)
    try:
        await connection.execute("alter table tenantry.audit_log no force row level security")
        for table in ("audit_log", "audit_seals", "details"):
            await connection.execute(f"alter table tenantry.{table} disable row level security")
        await connection.execute(statement, *arguments)
    finally:
        for table in ("audit_log", "audit_seals", "details"):
            await connection.execute(f"alter table tenantry.{table} enable row level security")
        await connection.execute("alter table tenantry.audit_log force row level security")
        await connection.close()


async def _one_row(house: Installation, team: Team) -> UUID:
    """An entry of the team that is under a seal."""
    answer = await team.owner.patch(team.path, {"name": f"Acme {time.monotonic_ns()}"})
    [row] = await rows_of(house, answer)
    await _all_sealed(house)
    found: UUID = row["id"]
    return found


@pytest.fixture
async def team(house: Installation) -> Team:
    """An organization with somebody new in each role."""
    return await house.team()


async def test_everything_that_was_committed_is_under_a_seal_and_verifies(installation: Installation) -> None:
    await installation.team()
    verdict = await _all_sealed(installation)
    [counted] = await installation.rows("select count(*) from tenantry.audit_log")
    assert (verdict.rows, verdict.faults) == (counted[0], [])
    assert verdict.seals >= 1
    assert verdict.last_seal is not None
    assert await _seal(installation) == 0


async def test_two_who_seal_at_once_make_one_chain(installation: Installation) -> None:
    await installation.team()
    sealed = await asyncio.gather(*(_seal(installation) for _ in range(5)))
    assert sum(1 for rows in sealed if rows) == 1
    assert not (await _all_sealed(installation)).faults


async def test_nothing_that_may_still_be_preceded_is_sealed(installation: Installation) -> None:
    team = await installation.team()
    await _all_sealed(installation)
    early = await asyncpg.connect(installation.runtime.database.url)
    transaction = early.transaction()
    await transaction.start()
    await early.execute("set local role tenantry_system")
    await early.execute(
        "insert into tenantry.audit_log (id, action, actor_kind, request_id) values ($1, 'a:b:c', 'cli', 'early')",
        new_id(),
    )
    await team.owner.patch(team.path, {"name": "Later"})
    assert await _seal(installation) == 0
    await transaction.commit()
    await early.close()
    verdict = await _all_sealed(installation)
    assert verdict.faults == []
    assert len(await rows_of(installation, "early")) == 1


async def test_a_denial_is_sealed_when_its_minute_is_over(clocked: Installation, clock: HandClock) -> None:
    team = await clocked.team()
    await team.member.patch(team.path, {"name": "Mine"})
    while await _seal(clocked):
        pass
    assert (await verify_audit(house_call(clocked))).not_sealed_yet >= 1
    await team.member.patch(team.path, {"name": "Mine"})
    clock.advance(minutes=4)
    assert (await _all_sealed(clocked)).faults == []


Tampering = Callable[[Installation, UUID], Awaitable[None]]


async def _changed(house: Installation, row: UUID) -> None:
    await _behind(house, "update tenantry.audit_log set actor_id = gen_random_uuid() where id = $1", row)


async def _moved_in_time(house: Installation, row: UUID) -> None:
    await _behind(house, "update tenantry.audit_log set at = at - interval '1 microsecond' where id = $1", row)


async def _rewritten(house: Installation, row: UUID) -> None:
    await _behind(house, """update tenantry.audit_log set after = '{"name": "Nothing"}' where id = $1""", row)


async def _removed(house: Installation, row: UUID) -> None:
    await _behind(house, "delete from tenantry.audit_log where id = $1", row)


async def _said_otherwise(house: Installation, row: UUID) -> None:
    said = """update tenantry.details set named = '{"address": "192.0.2.66", "user_agent": null}' where row_id = $1"""
    await _behind(house, said, row)


@pytest.mark.parametrize(
    ("tamper", "what"),
    [
        (_changed, "changed"),
        (_moved_in_time, "changed"),
        (_rewritten, "changed"),
        (_removed, "removed"),
        (_said_otherwise, "details changed"),
    ],
)
async def test_a_row_that_is_tampered_with_is_named(installation: Installation, tamper: Tampering, what: str) -> None:
    team = await installation.team()
    row = await _one_row(installation, team)
    await tamper(installation, row)
    [fault] = (await verify_audit(house_call(installation))).faults
    assert (fault.what, fault.row, fault.whose) == (what, row, org_id(team.org))


async def test_a_row_that_is_put_in_is_named(installation: Installation) -> None:
    team = await installation.team()
    await _one_row(installation, team)
    forged = UUID(int=1)
    await _behind(
        installation,
        """
        insert into tenantry.audit_log (at, tx, id, org_id, action, actor_kind, request_id)
        select at, tx, $1, org_id, action, actor_kind, 'forged' from tenantry.audit_log order by tx limit 1
        """,
        forged,
    )
    [fault] = (await verify_audit(house_call(installation))).faults
    assert (fault.what, fault.row) == ("put in", forged)


async def test_a_seal_that_was_made_anew_or_taken_away_is_found(installation: Installation) -> None:
    team = await installation.team()
    await _one_row(installation, team)
    await _one_row(installation, team)
    await _behind(installation, "update tenantry.audit_seals set leaves = substr(leaves, 73) where number = 1")
    assert "seal changed" in {fault.what for fault in (await verify_audit(house_call(installation))).faults}
    await _behind(installation, "delete from tenantry.audit_seals where number = 1")
    assert "seal changed" in {fault.what for fault in (await verify_audit(house_call(installation))).faults}


async def test_who_makes_all_of_it_anew_is_found_by_a_seal_that_was_kept_elsewhere(
    installation: Installation,
) -> None:
    team = await installation.team()
    row = await _one_row(installation, team)
    known = (await verify_audit(house_call(installation))).last_seal
    assert (await verify_audit(house_call(installation), known=known)).faults == []
    await _removed(installation, row)
    await _behind(installation, "delete from tenantry.audit_seals")
    await _all_sealed(installation)
    assert (await verify_audit(house_call(installation))).faults == []
    [fault] = (await verify_audit(house_call(installation), known=known)).faults
    assert fault.what == "seal missing"


async def test_erasing_what_is_personal_breaks_no_seal(installation: Installation) -> None:
    team = await installation.team()
    await _all_sealed(installation)
    async with SystemWork(house_call(installation), reason="a test") as work:
        await work.runtime.fates["details"].statement(  # type: ignore[misc]
            work, user_id=user_id(team.owner), email_key=team.owner.email
        )
    assert (await verify_audit(house_call(installation))).faults == []


async def test_what_is_older_than_it_is_kept_goes_and_the_seals_hold(clocked: Installation, clock: HandClock) -> None:
    team = await clocked.team()
    await team.member.patch(team.path, {"name": "Mine"})
    clock.advance(minutes=5)
    await on_schedule(clocked, "audit.seal_audit")
    sealed = await _all_sealed(clocked)
    clock.advance(days=364)
    await on_schedule(clocked, "audit.let_old_audit_rows_go")
    assert (await verify_audit(house_call(clocked))).rows == sealed.rows
    clock.advance(days=2)
    await on_schedule(clocked, "audit.let_old_audit_rows_go")
    verdict = await verify_audit(house_call(clocked))
    assert verdict.faults == []
    assert verdict.let_go == sealed.rows
    left = await clocked.rows("select id, action from tenantry.audit_log")
    assert {row["action"] for row in left} == {"audit:log:let_go"}
    ids = [row["id"] for row in await clocked.rows("select public_id as id from tenantry.events")]
    actor = "select from tenantry.details where about = 'actor' and row_id = any ($1)"
    assert await clocked.rows(actor, ids) == []


PLANS = """
default = "usual"
limits = { audit_days = "Days of audit log" }
plans = [{ key = "usual", name = "Usual" }, { key = "short", name = "Short", limits = { audit_days = 7 } }]
"""


async def test_each_organizations_plan_says_how_long_it_is_kept(
    database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> None:
    (tmp_path / "plans.toml").write_text(PLANS)
    environ = clock.environ | {"TENANTRY_PLAN_FILE": str(tmp_path / "plans.toml")}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as house:
        await _kept_by_plan(house, clock)


async def _kept_by_plan(clocked: Installation, clock: HandClock) -> None:
    short, usual = await clocked.team(), await clocked.team()
    async with SystemWork(house_call(clocked), reason="a test") as work:
        await give_plan(work, org_id=org_id(short.org), plan="short", source="grant")
    clock.advance(days=8)
    await on_schedule(clocked, "audit.let_old_audit_rows_go")
    of_org = "select from tenantry.audit_log where org_id = $1"
    assert await clocked.rows(of_org, org_id(short.org)) == []
    assert await clocked.rows(of_org, org_id(usual.org))


async def test_a_purged_organizations_rows_are_gone_and_the_seals_hold(clocked: Installation, clock: HandClock) -> None:
    team = await clocked.team()
    slug = (await team.owner.get(team.path)).json["slug"]
    await team.owner.post(f"{team.path}/closure", {"slug": slug})
    sealed = await _all_sealed(clocked)
    clock.advance(days=31)
    await on_schedule(clocked, "orgs.ask_for_purges")
    assert await clocked.rows("select from tenantry.audit_log where org_id = $1", org_id(team.org)) == []
    verdict = await verify_audit(house_call(clocked))
    assert (verdict.faults, verdict.let_go > 0, verdict.rows < sealed.rows) == ([], True, True)
    [purged] = await clocked.rows("select * from tenantry.audit_log where action = 'orgs:org:purged'")
    assert (purged["target_kind"], purged["target_id"]) == ("org", org_id(team.org))


async def test_rows_that_came_after_a_purge_are_let_go_in_their_time(clocked: Installation, clock: HandClock) -> None:
    team = await clocked.team()
    slug = (await team.owner.get(team.path)).json["slug"]
    await team.owner.post(f"{team.path}/closure", {"slug": slug})
    clock.advance(days=31)
    await on_schedule(clocked, "orgs.ask_for_purges")
    await cli.show(house_call(clocked), org=team.org)
    about = "select action from tenantry.audit_log where org_id = $1"
    assert [row["action"] for row in await clocked.rows(about, org_id(team.org))] == ["audit:log:read"]
    clock.advance(days=366)
    await on_schedule(clocked, "audit.let_old_audit_rows_go")
    assert await clocked.rows(about, org_id(team.org)) == []


async def test_the_house_itself_removes_nothing_that_it_has_not_let_go(installation: Installation) -> None:
    team = await installation.team()
    async with SystemWork(house_call(installation), reason="a test") as work:
        assert await work.connection.execute("delete from tenantry.audit_log") == "DELETE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with work.apart():
                await work.connection.execute(
                    "insert into tenantry.audit_horizons values ($1, 'infinity')", org_id(team.org)
                )
        assert await work.connection.execute("update tenantry.audit_log set times = 2") == "UPDATE 0"


async def test_moving_signing_keys_leaves_a_row(installation: Installation) -> None:
    async with SystemWork(house_call(installation, "moving-keys"), reason="a test") as work:
        moves = await replace_at_once(work)
    rows = await rows_of(installation, "moving-keys")
    assert [json.loads(row["after"]) for row in rows] == [
        {"kid": change.kid, "state": change.state} for change in moves.done
    ]
    assert {(row["action"], row["actor_kind"], row["actor_name"]) for row in rows} == {
        ("house:signing_key:moved", "cli", "a test")
    }


async def test_sealing_secrets_anew_leaves_a_row(installation: Installation) -> None:
    await reseal(house_call(installation, "sealing-anew"), installation.registry.sealed)
    [row] = await rows_of(installation, "sealing-anew")
    assert (row["action"], row["after"]) == ("house:secrets:resealed", '{"broken": 0, "resealed": 0}')
