"""Notes in the console, in a browser without scripts."""

from __future__ import annotations

import asyncio
from uuid import UUID

from tenantry import Call, SystemWork
from tenantry.flags.actions import override_flag
from tenantry.foundation.call import Actor
from tenantry.foundation.data.ids import ORG_ID
from tenantry.plans.actions import give_plan
from tenantry.testing import Browser, Client, Installation, Team
from tenantry.testing.installation import PASSWORD

POLYGLOT = "'\"/*`--></title></textarea></script><svg onload=alert(1)>{{7*7}}"


async def _at(house: Installation, person: Client, team: Team) -> Browser:
    browser = await house.browser().sign_in(person.email, PASSWORD)
    return await browser.visit(f"/console/orgs/{team.org}/notes")


def _as_house(house: Installation) -> SystemWork:
    return SystemWork(Call(house.runtime, Actor("cli"), "a-test"), reason="a test")


def _org_id(team: Team) -> UUID:
    found = ORG_ID.read(team.org)
    assert found is not None
    return found


async def test_a_note_is_written_found_shared_and_thrown_away(house: Installation, team: Team) -> None:
    browser = await _at(house, team.member, team)
    assert (browser.sheet.links["Notes"], "No notes." in browser.text) == (browser.path, True)
    await browser.submit(button="Write it down", text="Buy milk.")
    await browser.submit(button="Write it down", text="Call the bank.")
    await browser.submit(button="Find", q="milk")
    assert ("Buy milk." in browser.text, "Call the bank." in browser.text) == (True, False)
    await browser.submit(button="Share: Buy milk.")
    assert browser.path == f"/console/orgs/{team.org}/notes"
    assert "everybody here" in browser.text
    others = await _at(house, team.owner, team)
    assert ("Buy milk." in others.text, "Call the bank." in others.text) == (True, False)
    assert not [form for form in others.sheet.forms if form.action.endswith(("/sharing", "/removal"))]
    await browser.submit(button="Throw away: Buy milk.")
    assert "Buy milk." not in browser.text
    await browser.submit(button="Find", q="milk")
    assert "No notes with these words." in browser.text


async def test_nobody_throws_away_what_is_not_theirs(house: Installation, team: Team) -> None:
    browser = await _at(house, team.member, team)
    await browser.submit(button="Write it down", text="Mine.")
    forms = [form for form in browser.sheet.forms if form.action.endswith(("/sharing", "/removal"))]
    assert len(forms) == 2
    for person in (team.owner, team.stranger):
        for form in forms:
            other = await _at(house, person, team)
            other.sheet.forms = [form]
            await other.submit()
            assert other.status == 404
    await browser.visit(browser.path)
    assert "Mine." in browser.text
    assert "you alone" in browser.text


async def test_what_there_is_no_room_for_is_still_in_the_field(house: Installation, team: Team) -> None:
    async with _as_house(house) as work:
        await give_plan(work, org_id=_org_id(team), plan="small", source="grant")
    browser = await _at(house, team.member, team)
    for text in ("One.", "Two.", "Three."):
        await browser.submit(button="Write it down", text=text)
    await browser.submit(button="Write it down", text="One too many.")
    assert browser.status == 402
    assert "as much of this as its plan allows" in browser.text
    assert browser.sheet.forms[0].fields == {"text": "One too many."}


async def test_where_sharing_is_off_there_is_no_button(house: Installation, team: Team) -> None:
    async with _as_house(house) as work:
        await override_flag(work, org_id=_org_id(team), key="notes.sharing", variant="off", reason="a test")
    browser = await _at(house, team.member, team)
    await browser.submit(button="Write it down", text="Mine.")
    async with asyncio.timeout(10):
        # another process may have the flag as it was for a second
        while len(browser.sheet.forms) > 3:
            await browser.visit(browser.path)
    assert [form.action.rpartition("/")[2] for form in browser.sheet.forms] == ["new", "notes", "removal"]


async def test_a_note_is_text_and_nothing_else(house: Installation, team: Team) -> None:
    browser = await _at(house, team.member, team)
    await browser.submit(button="Write it down", text=POLYGLOT)
    assert browser.status == 200
    assert "<svg" not in browser.sheet.html
    assert POLYGLOT in browser.text
    await browser.submit(button="Find", q=POLYGLOT)
    assert "<svg" not in browser.sheet.html


async def test_notes_are_led_on_by_pages(house: Installation, team: Team) -> None:
    browser = await _at(house, team.member, team)
    for text in ("First.", "Second.", "Third."):
        await browser.submit(button="Write it down", text=text)
    await browser.visit(f"{browser.path}?limit=2&q=")
    assert ("Third." in browser.text, "First." in browser.text) == (True, False)
    await browser.follow("Next page")
    assert ("Third." in browser.text, "First." in browser.text) == (False, True)
