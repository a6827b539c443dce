"""The console's page of flags, in a browser without scripts: what each gives to whoever looks, and why."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import msgspec

from patience import until
from tenantry.flags import actions, queries
from tenantry.flags.exchanges import flags_kept
from tenantry.flags.models import Definition
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.work import SystemWork
from tenantry.testing import Browser, Client, Installation, Team
from tenantry.testing.installation import PASSWORD

POLYGLOT = "'\"/*`--></title></textarea></script><svg onload=alert(1)>{{7*7}}"
ON_OFF: dict[str, Any] = {"kind": "boolean", "variants": {"on": True, "off": False}, "default": "off", "off": "off"}


def _work(house: Installation) -> SystemWork:
    return SystemWork(Call(house.runtime, Actor("cli"), "a-trial"), reason="a test")


async def _put(house: Installation, key: str, **rest: Any) -> None:
    definition = msgspec.convert(ON_OFF | {"visible": True} | rest, Definition)
    async with _work(house) as work:
        await actions.put_flag(work, key=key, definition=definition)


async def _seen(house: Installation) -> None:
    """Wait until the house's own process knows the flags as they are committed now."""
    kept = flags_kept(house.runtime)
    assert await kept.watch.ready(within=5)
    async with _work(house) as work:
        mark = await queries.mark(work)
    await until(lambda: kept.watch.known == mark)


async def _page(house: Installation, person: Client, team: Team) -> Browser:
    browser = await house.browser().sign_in(person.email, PASSWORD)
    return await browser.visit(f"/console/orgs/{team.org}/flags")


async def _told(house: Installation, person: Client, team: Team) -> dict[str, list[str]]:
    """What the page says of each flag: what it gives, the variant, why."""
    await _seen(house)
    browser = await _page(house, person, team)
    assert browser.status == 200
    rows = browser.sheet.html.partition("<tbody>")[2].split("</tr>")[:-1]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    said = [[unescape(re.sub(r"<[^>]*>", "", cell)) for cell in row] for row in cells]
    return {key: rest for key, *rest in said if rest}


async def test_members_see_what_flags_give_them_and_why(house: Installation) -> None:
    team, other = await house.team(), await house.team()
    owners = [{"variant": "on", "when": [{"about": "role", "values": ["owner"]}], "note": "a secret rule"}]
    halves = [{"split": [{"variant": "on", "weight": 100_000}], "by": "org"}]
    await _put(house, "for_owners", rules=owners)
    await _put(house, "gradual", rules=halves)
    await _put(house, "plain", kind="object", variants={"red": {"hex": "f00"}}, default="red", off=None)
    await _put(house, "ours")
    await _put(house, "killed")
    await _put(house, "hidden", visible=False)
    org_id = ORG_ID.read(team.org)
    assert org_id is not None
    async with _work(house) as work:
        await actions.override_flag(work, org_id=org_id, key="ours", variant="on", reason="a secret reason")
        await actions.kill_flag(work, key="killed")
    found = await _told(house, team.owner, team)
    assert found["for_owners"] == ["on", "on", "A rule is about you or your organization."]
    assert found["gradual"] == ["on", "on", "It is given to a part of everybody, and you are in this one."]
    assert found["plain"] == ['{"hex":"f00"}', "red", "It is the same for everybody."]
    assert found["ours"] == ["on", "on", "It was set for your organization."]
    assert found["killed"] == ["off", "off", "It is switched off for everybody."]
    assert "hidden" not in found
    members = await _told(house, team.member, team)
    assert members["for_owners"] == ["off", "off", "No rule is about you, so it is as for everybody else."]
    assert (await _told(house, other.owner, other))["ours"][0] == "off"
    browser = await _page(house, team.member, team)
    assert "secret" not in browser.text
    assert [form.method for form in browser.sheet.forms] == []


async def test_a_stranger_finds_no_flags(house: Installation) -> None:
    team = await house.team()
    browser = await _page(house, team.stranger, team)
    assert browser.status == 404


async def test_what_operators_typed_is_text_and_nothing_else(house: Installation) -> None:
    team = await house.team()
    await _put(house, "badly_named", kind="string", variants={"v": POLYGLOT}, default="v", off=None)
    await _seen(house)
    html = (await _page(house, team.owner, team)).sheet.html
    assert "<svg" not in html.lower()
    assert "&lt;svg onload=alert(1)&gt;{{7*7}}" in html
