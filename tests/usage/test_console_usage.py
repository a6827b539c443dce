"""Usage in the console, in a browser without scripts: quotas as they stand, and meters day by day."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape

import msgspec
import pytest
from rationed import give, rationing

from tenantry.testing import Browser, Client, Databases, HandClock, Installation, Team
from tenantry.testing.installation import PASSWORD

START = datetime(2026, 5, 10, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
async def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation that limits and meters, on the tenth of May."""
    folder = tmp_path_factory.mktemp("rationed")
    clock = HandClock(folder / "clock")
    clock.set(START)
    async with databases.fresh() as url, rationing(url, folder, **clock.environ) as running:
        yield running


async def _at(house: Installation, person: Client, team: Team, query: str = "") -> Browser:
    browser = await house.browser().sign_in(person.email, PASSWORD)
    return await browser.visit(f"/console/orgs/{team.org}/usage{query}")


def _plots(browser: Browser) -> list[dict[str, list[object]]]:
    """What is drawn, of each meter."""
    return [msgspec.json.decode(unescape(one)) for one in re.findall(r'data-plot="([^"]*)"', browser.sheet.html)]


async def _report(team: Team, meter: str, quantity: int, at: str) -> None:
    one = {"meter": meter, "quantity": quantity, "key": f"{meter} {at}", "at": f"{at}T10:00:00Z"}
    assert (await team.owner.post(f"{team.path}/usage", {"events": [one]})).status == 200


async def test_quotas_are_shown_with_what_is_used_left_and_why(house: Installation) -> None:
    team = await house.team()
    await team.member.post(f"{team.path}/things")
    await team.member.post(f"{team.path}/runs", {"quantity": 30})
    await team.member.post(f"{team.path}/checks", {"quantity": 12})
    await team.member.post(f"{team.path}/calls", {"quantity": 4})
    browser = await _at(house, team.member, team)
    assert "Things 1 of 100 99 never the plan" in browser.text
    assert "Runs 30 of 100 70 2026-06-01 00:00 UTC the plan" in browser.text
    assert "Calls a day 4 of 4 none 2026-05-11 00:00 UTC the plan" in browser.text
    assert "Checks 12 of 10 2 too many counted, and not refused 2026-06-01" in browser.text
    bars = re.findall(r'<progress class="progress" max="(\d+)" value="(\d+)" aria-label="Checks', browser.sheet.html)
    assert bars == [("10", "10")]


async def test_what_nothing_limits_has_no_bar_and_what_is_not_allowed_has_none_either(house: Installation) -> None:
    team = await house.team()
    await give(house, team.org, "endless")
    browser = await _at(house, team.member, team)
    assert "Runs 0 no limit 2026-06-01 00:00 UTC nothing" in browser.text
    assert "<progress" not in browser.sheet.html
    await give(house, team.org, "none")
    await browser.visit(f"/console/orgs/{team.org}/usage")
    assert "Runs 0 of 0 none 2026-06-01" in browser.text
    assert "<progress" not in browser.sheet.html


async def test_each_meter_is_drawn_by_day_and_days_without_use_are_there(house: Installation) -> None:
    team = await house.team()
    for day, quantity in (("2026-05-10", 3), ("2026-05-09", 5), ("2026-04-20", 7)):
        await _report(team, "runs", quantity, day)
    browser = await _at(house, team.member, team)
    runs, calls, checks = _plots(browser)
    assert [len(plot["x"]) for plot in (runs, calls, checks)] == [30, 30, 30]
    assert runs["lines"] == [["Used", [0] * 9 + [7] + [0] * 18 + [5, 3]]]
    assert calls["lines"] == [["Used", [0] * 30]]
    assert runs["x"][-1] == int(START.replace(hour=0, minute=0).timestamp())
    assert "In this billing period: 8; in the last 30 days: 15." in browser.text
    # the same as a table, for whoever does not see it
    assert "2026-04-207" in browser.text


async def test_one_looks_back_as_far_as_one_likes(house: Installation) -> None:
    team = await house.team()
    for day, quantity in (("2026-05-10", 3), ("2026-04-20", 7)):
        await _report(team, "runs", quantity, day)
    browser = await _at(house, team.member, team)
    await browser.submit(button="Show", days="7")
    assert browser.path.endswith("/usage?days=7")
    assert "in the last 7 days: 3." in browser.text
    assert next(form for form in browser.sheet.forms if form.method == "get").fields == {"days": "7"}
    await browser.submit(button="Show", days="365")
    assert len(_plots(browser)[0]["x"]) == 365
    assert "in the last 365 days: 10." in browser.text
    await browser.visit(f"/console/orgs/{team.org}/usage?days=8")
    assert browser.status == 422
    assert "days-fault" in browser.sheet.html or "#days" in browser.sheet.html


async def test_members_see_their_own_organization_and_nobody_elses(house: Installation) -> None:
    team, others = await house.team("Mine"), await house.team("Others")
    await _report(others, "runs", 77, "2026-05-10")
    for person in (team.owner, team.admin, team.member):
        browser = await _at(house, person, team)
        assert (browser.status, browser.sheet.links["Usage"]) == (200, f"/console/orgs/{team.org}/usage")
        assert "77" not in str(_plots(browser)[0]["lines"])
    assert (await _at(house, team.stranger, team)).status == 404
    assert (await _at(house, team.owner, others)).status == 404


async def test_where_nothing_is_metered_the_page_says_so(installation: Installation) -> None:
    team = await installation.team()
    browser = await _at(installation, team.member, team)
    assert browser.status == 200
    assert "Members and invites 3 no limit never nothing" in browser.text
    assert "Nothing is metered here." in browser.text
