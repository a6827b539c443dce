"""The plan in the console, in a browser without scripts: what an organization has, and what gives it that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from plan_kit import PLANS, give, house_work, selling, uuid_of

from tenantry.foundation.domain import Registry
from tenantry.plans import actions
from tenantry.testing import Browser, Client, Databases, Installation, Team
from tenantry.testing.installation import PASSWORD

POLYGLOT = "'*/`--><svg onload=alert(1)>{{7*7}}"
MARKED = PLANS.replace('"Days of audit log"', f'"{POLYGLOT}"').replace('name = "All"', f'name = "{POLYGLOT}"')


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation with a plan file, in which something is badly named."""
    async with databases.fresh() as url, selling(url, tmp_path_factory.mktemp("plans"), registry, MARKED) as running:
        yield running


async def _at(house: Installation, person: Client, team: Team) -> Browser:
    browser = await house.browser().sign_in(person.email, PASSWORD)
    return await browser.visit(f"/console/orgs/{team.org}/plan")


async def test_who_has_no_other_plan_sees_the_one_of_everybody(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.member, team)
    assert "is on the plan Free. It is the plan of whoever has no other." in browser.text
    assert "Single sign-on sso off off by the plan Free" in browser.text
    assert "Projects projects 2 2 by the plan Free" in browser.text
    assert "audit_days no limit no limit by the plan Free" in browser.text


async def test_a_plan_that_ends_says_when(house: Installation) -> None:
    team = await house.team()
    until = datetime.now(UTC) + timedelta(days=5)
    await give(house, team.org, "pro", source="trial", valid_until=until)
    browser = await _at(house, team.member, team)
    assert f"is on the plan Pro. It is on trial. It ends at {until:%Y-%m-%d %H:%M} UTC." in browser.text
    assert "Single sign-on sso on on by the trial of Pro" in browser.text
    await give(house, team.org, "pro")
    await browser.visit(browser.path)
    assert "is on the plan Pro. It is subscribed to. Features" in browser.text.replace("See other plans ", "")
    await give(house, team.org, "pro", source="grant", version=1)
    await browser.visit(browser.path)
    assert "is on the plan Pro (2025). It was given." in browser.text


async def test_exceptions_and_add_ons_are_explained(house: Installation) -> None:
    team = await house.team()
    org, until = uuid_of(team.org), datetime.now(UTC) + timedelta(days=5)
    async with house_work(house) as work:
        for key, value, source in (("projects", 1200, "override"), ("seats", 4, "add_on"), ("sso", 1, "add_on")):
            ends = until if key == "seats" else None
            await actions.give_override(
                work, org_id=org, feature_key=key, value=value, reason="said by nobody", source=source, valid_until=ends
            )
    browser = await _at(house, team.member, team)
    assert (
        "projects 1,200 2 by the plan Free does not count 1,200 by an exception for this organization" in browser.text
    )
    assert f"seats 7 3 by the plan Free 4 by an add-on, until {until:%Y-%m-%d %H:%M} UTC" in browser.text
    assert "sso on off by the plan Free on by an add-on" in browser.text
    # why an operator gave it is the house's own
    assert "said by nobody" not in browser.sheet.html


async def test_those_who_look_after_it_find_other_plans(house: Installation) -> None:
    team = await house.team()
    for person, found in ((team.owner, True), (team.admin, True), (team.member, False)):
        browser = await _at(house, person, team)
        assert browser.sheet.links["Plan"] == f"/console/orgs/{team.org}/plan"
        upgrade = f"https://app.example.com/upgrade?org={team.org}"
        assert (browser.sheet.links.get("See other plans") == upgrade) is found
    assert (await _at(house, team.stranger, team)).status == 404


async def test_what_stands_in_the_plan_file_is_text(house: Installation) -> None:
    team = await house.team(POLYGLOT)
    await give(house, team.org, "all")
    browser = await _at(house, team.owner, team)
    assert "<svg" not in browser.sheet.html
    assert browser.text.count(POLYGLOT) >= 4
    assert "49" not in browser.text


async def test_where_there_is_no_plan_file_the_page_says_that_nothing_is_named(installation: Installation) -> None:
    team = await installation.team()
    browser = await _at(installation, team.owner, team)
    assert "is on the plan Free." in browser.text
    assert "The plans here name no features." in browser.text
    assert "See other plans" not in browser.sheet.links
