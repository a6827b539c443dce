"""The console's page of the audit log, in a browser without scripts: read, narrowed, and taken away as a file."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta

from tenantry.audit.models import MOST_LINKS
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.denials import settle
from tenantry.testing import Browser, Client, Installation, Team
from tenantry.testing.installation import PASSWORD

POLYGLOT = "'\"/*`--></title></textarea></script><svg onload=alert(1)>{{7*7}}"

ENTRY = re.compile(r"<dd><code>((?:evt|aud)_\w+)</code>")


def _log(team: Team) -> str:
    return f"/console/orgs/{team.org}/audit-log"


async def _at(house: Installation, person: Client, path: str) -> Browser:
    browser = await house.browser().sign_in(person.email, PASSWORD)
    return await browser.visit(path)


def _actions(browser: Browser) -> list[str]:
    return [text for text, to in browser.sheet.links.items() if "?action=" in to]


async def test_admins_read_who_did_what_to_whom_and_from_where(house: Installation) -> None:
    team = await house.team()
    role = await team.owner.patch(
        f"{team.path}/members/{team.member.user_id}", {"role": "admin"}, headers={"if-match": "*"}
    )
    assert role.status == 200, role
    browser = await _at(house, team.admin, _log(team))
    assert browser.status == 200
    assert {"orgs:org:created", "orgs:member:joined", "orgs:member:role_changed"} <= set(_actions(browser))
    for said in (team.member.email, team.member.user_id, "127.0.0.1", "from member to admin", "(person)"):
        assert said in browser.text
    # that it was read is written down as well, beside the page that shows it
    await settle(house.runtime)
    await browser.visit(_log(team))
    assert "audit:log:read" in browser.text


async def test_filters_narrow_and_are_kept(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, _log(team))
    await browser.submit(button="Show", action="orgs:member")
    assert set(_actions(browser)) == {"orgs:member:joined"}
    assert browser.sheet.forms[0].fields["action"] == "orgs:member"
    await browser.submit(button="Show", actor=team.stranger.user_id)
    assert "No entries that fit." in browser.text
    await browser.submit(button="Show", action="", actor=team.owner.user_id)
    assert "orgs:org:created" in _actions(browser)
    await browser.submit(button="Show", actor="", target=team.org)
    assert "orgs:org:created" in _actions(browser)
    assert "orgs:member:joined" not in _actions(browser)
    await browser.submit(button="Show", target="", outcome="denied")
    assert "No entries that fit." in browser.text
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    await browser.submit(button="Show", outcome="", **{"from": tomorrow})
    assert "No entries that fit." in browser.text
    await browser.submit(button="Show", **{"from": "", "to": tomorrow})
    assert "orgs:org:created" in _actions(browser)
    await browser.follow("Show all entries")
    assert browser.path == _log(team)
    await browser.follow("orgs:org:created")
    assert set(_actions(browser)) == {"orgs:org:created"}


async def test_a_filter_that_is_none_is_shown_again_as_it_was_entered(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, _log(team))
    for field, typed in (
        ("actor", "somebody"),
        ("actor", team.org),
        ("target", POLYGLOT),
        ("from", "yesterday"),
        ("to", "9999-12-31T23:59:59-23:59"),
        ("outcome", "other"),
        ("action", "x" * 101),
    ):
        await browser.visit(_log(team))
        browser.sheet.forms[0].text = "this one"
        await browser.submit(button="this one", **{field: typed})
        assert browser.status == 422, field
        assert f"{field}-fault" in browser.sheet.html
        if field != "outcome":
            assert browser.sheet.forms[0].fields[field] == typed
        assert "<svg" not in browser.sheet.html


async def test_the_log_is_read_page_by_page(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, f"{_log(team)}?action=orgs")
    every = ENTRY.findall(browser.sheet.html)
    assert len(every) > 2
    await browser.visit(f"{_log(team)}?limit=2&action=orgs")
    seen = ENTRY.findall(browser.sheet.html)
    assert len(seen) == 2
    while "Next page" in browser.sheet.links:
        await browser.follow("Next page")
        seen += ENTRY.findall(browser.sheet.html)
    assert seen == every
    await browser.visit(f"{_log(team)}?after=nonsense")
    assert browser.status == 400
    assert "This cursor is not one" in browser.text
    assert "orgs:org:created" in _actions(browser)


async def test_the_log_is_taken_away_once_as_it_is_narrowed(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, f"{_log(team)}?action=orgs:member&from=2020-01-01T00:00")
    await browser.submit(button="Make the file")
    assert "The file is ready." in browser.text
    [ready] = browser.sheet.forms
    await browser.submit(button="Take the file")
    assert browser.status == 200
    assert browser.headers["content-type"] == "text/csv; charset=utf-8"
    assert browser.headers["content-disposition"] == f'attachment; filename="audit-log-{team.org}.csv"'
    assert browser.headers["cache-control"] == "no-store"
    assert {line["action"] for line in csv.DictReader(io.StringIO(browser.sheet.html))} == {"orgs:member:joined"}
    browser.sheet.forms = [ready]
    await browser.submit(button="Take the file")
    assert browser.status == 410
    assert "ask for a new one" in browser.text
    await browser.submit(button="Make the file", format="jsonl")
    await browser.submit(button="Take the file")
    assert browser.headers["content-type"] == "application/x-ndjson"


async def test_a_file_is_of_whoever_asked_for_it(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, _log(team))
    await browser.submit(button="Make the file")
    [ready] = browser.sheet.forms
    other = await _at(house, team.admin, _log(team))
    other.sheet.forms = [ready]
    await other.submit(button="Take the file")
    assert other.status == 410
    ready.fields["token"] = ""
    other.sheet.forms = [ready]
    await other.submit(button="Take the file")
    assert other.status == 410


async def test_a_refused_file_says_so_on_the_page_as_it_was_narrowed(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, f"{_log(team)}?action=orgs:member")
    for _ in range(MOST_LINKS):
        await browser.visit(f"{_log(team)}?action=orgs:member")
        await browser.submit(button="Make the file")
        assert browser.status == 200
    await browser.visit(f"{_log(team)}?action=orgs:member")
    await browser.submit(button="Make the file", format="jsonl")
    assert browser.status == 429
    assert set(_actions(browser)) == {"orgs:member:joined"}
    assert browser.sheet.forms[-1].fields == {"action": "orgs:member", "format": "jsonl"}


async def test_a_restricted_organization_still_takes_its_log_away(house: Installation) -> None:
    team = await house.team()
    await house.rows(
        "update tenantry.orgs set restricted_from = tenantry.now() where id = $1 returning id", ORG_ID.read(team.org)
    )
    browser = await _at(house, team.owner, _log(team))
    await browser.submit(button="Make the file")
    await browser.submit(button="Take the file")
    assert browser.headers["content-type"] == "text/csv; charset=utf-8"


async def test_members_and_strangers_read_no_log(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.member, f"/console/orgs/{team.org}")
    assert "Audit log" not in browser.sheet.links
    await browser.visit(_log(team))
    assert browser.status == 403
    assert "orgs:org:created" not in browser.text
    browser = await _at(house, team.stranger, _log(team))
    assert browser.status == 404
    browser = await _at(house, team.admin, f"/console/orgs/{team.org}")
    assert "Audit log" in browser.sheet.links


async def test_what_people_typed_is_text_and_nothing_else(house: Installation) -> None:
    person = await house.person(name=POLYGLOT)
    org = (await person.post("/v1/orgs", {"name": POLYGLOT})).json["id"]
    browser = await house.browser(agent=POLYGLOT).sign_in(person.email, PASSWORD)
    await browser.visit(f"/console/orgs/{org}/settings")
    await browser.submit(button="Rename", name=f"{POLYGLOT}!")
    await browser.visit(f"/console/orgs/{org}/audit-log?action={'%3Csvg%20onload%3Dalert(1)%3E'}")
    assert browser.sheet.forms[0].fields["action"] == "<svg onload=alert(1)>"
    assert "<svg" not in browser.sheet.html.lower()
    await browser.visit(f"/console/orgs/{org}/audit-log")
    assert "<svg" not in browser.sheet.html.lower()
    assert browser.sheet.html.count("&lt;svg onload=alert(1)&gt;{{7*7}}") > 3
