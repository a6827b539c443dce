"""What the house does about endpoints by itself: it says that it disabled one, and removes what is too old."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest
from receiving import Receiver
from webhook_kit import Hook, happen, hooked, make_hook, recorded_about

from patience import until
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import EVENT_ID, ORG_ID, USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.net.mailbox import Mail
from tenantry.foundation.work import SystemWork
from tenantry.testing import Databases, Installation, Team
from tenantry.webhooks import actions, events
from tenantry.webhooks.jobs import upkeep
from tenantry.webhooks.jobs.mails import ToTell

Reaching = tuple[Installation, Receiver]
PLANS = """
default = "free"

[limits]
webhook_days = "Days of webhook deliveries"

[[plans]]
key = "free"
name = "Free"
limits = { webhook_days = 7 }
"""


async def _disable(hook: Hook, why: Literal["asked", "gone", "failing"]) -> bool:
    call = Call(hook.house.runtime, Actor("job"), "a-job-of-a-test")
    async with SystemWork(call, reason="a test") as work:
        return await actions.disable_endpoint(work, hook.org_uuid, hook.uuid, why)


async def _mails(house: Installation, team: Team) -> list[Mail]:
    await house.drain_jobs()
    known = {person.email for person in team.people.values()}
    return [mail for mail in await house.mails() if mail.to in known and "disabled" in mail.subject]


@pytest.mark.parametrize(("why", "said"), [("gone", "gone\nfor good (410)"), ("failing", "five days")])
async def test_whoever_looks_after_an_organization_is_told_that_the_house_disabled_its_endpoint(
    reaching: Reaching, team: Team, hook: Hook, why: Literal["gone", "failing"], said: str
) -> None:
    house, _ = reaching
    assert await _disable(hook, why)
    mails = await _mails(house, team)
    assert {mail.to for mail in mails} == {team.owner.email, team.admin.email}
    assert all(said in mail.text and "Acme" in mail.subject for mail in mails)
    # a link to wherever a customer's URL leads is not for mails of the house
    assert not [mail for mail in mails if hook.said["url"] in mail.text]
    assert (await hook.seen())["disabled_why"] == why
    assert not await _disable(hook, why)
    assert len(await recorded_about(house, events.EndpointDisabled, hook)) == 1
    assert len(await _mails(house, team)) == 2


async def test_nobody_is_told_of_what_somebody_asked_for(reaching: Reaching, team: Team, hook: Hook) -> None:
    assert await _disable(hook, "asked")
    assert not await _mails(reaching[0], team)
    assert not await reaching[0].rows("select from tenantry.jobs where kind = 'webhooks.mail_disabling'")


async def test_nobody_is_told_of_an_endpoint_that_is_enabled_again_or_gone(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    gone = await make_hook(house, team.owner, team.org, receiver.url)
    for one in (hook, gone):
        await _disable(one, "failing")
    await hook.who.patch(hook.path, {"enabled": True})
    # as it is until a job has removed it
    await gone.by_hand(
        "update tenantry.webhook_endpoints set deleted_at = tenantry.now() where org_id = $1 and id = $2"
    )
    assert not await _mails(house, team)


async def test_nobody_is_told_who_looks_after_the_organization_no_more(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, _ = reaching
    await _disable(hook, "gone")
    await _mails(house, team)
    member = USER_ID.read(team.member.user_id)
    assert member is not None
    await house.ask(NewJob.of("webhooks.mail_disabling", ToTell(hook.org_uuid, hook.uuid, member, "gone")))
    assert {mail.to for mail in await _mails(house, team)} == {team.owner.email, team.admin.email}


async def test_what_is_deleted_is_disabled_no_more(hook: Hook) -> None:
    await hook.who.delete(hook.path)
    assert not await _disable(hook, "gone")
    assert not await recorded_about(hook.house, events.EndpointDisabled, hook)


TABLES = ("webhook_messages", "webhook_deliveries", "webhook_attempts", "webhook_due")


async def _aged(house: Installation, team: Team, event: str, days: float) -> None:
    """Let a delivery, with all that there is about it, be so many days old."""
    for table in TABLES:
        await house.rows(
            f"update tenantry.{table} set at = tenantry.now() - $3 * interval '1 day'"
            " where org_id = $1 and event_id = $2",
            ORG_ID.read(team.org),
            EVENT_ID.read(event),
            days,
        )


async def _left(house: Installation, team: Team) -> dict[str, set[str]]:
    org = ORG_ID.read(team.org)
    found: dict[str, set[str]] = {}
    for table in TABLES:
        rows = await house.rows(f"select event_id from tenantry.{table} where org_id = $1", org)
        found[table] = {EVENT_ID.text(row["event_id"]) for row in rows}
    return found


async def _let_go(house: Installation) -> None:
    await house.ask(NewJob("webhooks.let_old_deliveries_go"))
    await house.drain_jobs()


@pytest.mark.parametrize(("plans", "kept"), [("", 30), (PLANS, 7), (PLANS.replace("= 7", "= 400"), 92)])
async def test_what_is_older_than_the_plan_keeps_is_let_go_whether_it_arrived_or_waits(
    databases: Databases, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plans: str, kept: int
) -> None:
    monkeypatch.setattr(actions.retention, "LET_GO_AT_ONCE", 1)
    monkeypatch.setattr(upkeep, "ORGS_AT_ONCE", 1)
    environ = dict[str, str]()
    if plans:
        (tmp_path / "plans.toml").write_text(plans)
        environ["TENANTRY_PLAN_FILE"] = str(tmp_path / "plans.toml")
    async with databases.fresh() as url, hooked(url, tmp_path, registry, **environ) as (house, receiver):
        teams = [await house.team(), await house.team()]
        for team in teams:
            await make_hook(house, team.owner, team.org, receiver.url, events=["member.joined"])
        ids = {team.org: await happen(house, team, 4) for team in teams}
        receiver.always = (500, {})
        await house.deliver()
        for team in teams:
            for event, days in zip(ids[team.org], (kept + 1, kept + 0.01, kept - 0.01, 0), strict=True):
                await _aged(house, team, event, days)
        await _let_go(house)
        for team in teams:
            assert await _left(house, team) == {table: set(ids[team.org][2:]) for table in TABLES}


async def test_forgetting_an_endpoint_goes_on_batch_by_batch_and_waits_for_who_puts_something_there(
    reaching: Reaching, team: Team, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, receiver = reaching
    monkeypatch.setattr(upkeep, "FORGOTTEN_AT_ONCE", 1)
    receiver.always = (500, {})
    await happen(house, team, 3)
    await house.deliver()
    await hook.who.delete(hook.path)
    await house.drain_jobs()
    for table in ("webhook_due", "webhook_deliveries", "webhook_attempts", "webhook_lanes"):
        assert await hook.count(table) == 0, table
    assert len(await recorded_about(house, events.EndpointForgotten, hook)) == 1


PUT = """
    insert into tenantry.webhook_due (org_id, endpoint_id, event_id, at, version)
    values ($1, $2, $2, tenantry.now(), 1)
"""
WAITS = "select from pg_locks where not granted"


@pytest.mark.parametrize(
    "holding",
    [
        "select from tenantry.webhook_endpoints where org_id = $1 and id = $2 for key share",
        "update tenantry.webhook_lanes set due_at = tenantry.now() where org_id = $1 and endpoint_id = $2",
    ],
)
async def test_what_is_put_where_it_waits_while_its_endpoint_is_forgotten_is_forgotten_with_it(
    reaching: Reaching, hook: Hook, holding: str
) -> None:
    house, _ = reaching
    await hook.who.delete(hook.path)
    other = await asyncpg.connect(house.runtime.database.url)
    await other.execute("set role tenantry_system")
    async with other.transaction():
        await other.fetch(holding, hook.org_uuid, hook.uuid)
        await other.execute(PUT, hook.org_uuid, hook.uuid)
        forgetting = asyncio.create_task(house.drain_jobs())

        async def waits() -> bool:
            return forgetting.done() or bool(await house.rows(WAITS))

        await until(waits)
    await forgetting
    await other.close()
    assert await hook.count("webhook_due") == 0
    assert not await house.rows("select from tenantry.webhook_endpoints where id = $1", hook.uuid)


async def test_a_purged_organization_leaves_nothing_in_any_table_of_webhooks(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, _ = reaching
    await happen(house, team, 2)
    await house.deliver()
    org: Any = ORG_ID.read(team.org)
    slug = (await team.owner.get(team.path)).json["slug"]
    assert (await team.owner.post(f"{team.path}/closure", {"slug": slug})).status == 200
    await house.rows("update tenantry.orgs set purge_at = tenantry.now() - interval '1 day' where id = $1", org)
    await house.ask(NewJob("orgs.ask_for_purges"))
    await house.drain_jobs()
    for table in actions.TABLES:
        assert not await house.rows(f"select from tenantry.{table} where org_id = $1", org), table
