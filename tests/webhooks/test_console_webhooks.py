"""The console's pages of webhooks, in a browser without scripts: from a new endpoint to its last attempt."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from receiving import Receiver
from webhook_kit import Hook

from tenantry.testing import Browser, Client, Installation, Team
from tenantry.testing.installation import PASSWORD

Reaching = tuple[Installation, Receiver]


async def _at(house: Installation, person: Client, path: str) -> Browser:
    browser = await house.browser().sign_in(person.email, PASSWORD)
    return await browser.visit(path)


def _home(team: Team) -> str:
    return f"/console/orgs/{team.org}/webhooks"


async def _told(reaching: Reaching, team: Team, status: int) -> None:
    """Somebody joins, and the endpoint answers with this status."""
    house, receiver = reaching
    receiver.always = (status, {})
    invite = {"email": team.stranger.email, "role": "member"}
    assert (await team.owner.post(f"{team.path}/invites", invite)).status == 201
    token = await house.mailed_token(team.stranger.email)
    assert (await team.stranger.post("/v1/invites/acceptance", {"token": token})).status == 200
    await house.deliver()


async def test_an_endpoint_is_made_and_its_secret_shown_once(reaching: Reaching, team: Team) -> None:
    house, receiver = reaching
    browser = await _at(house, team.admin, _home(team))
    assert "Nobody is told what happens" in browser.text
    await browser.follow("Add an endpoint")
    await browser.submit(url=receiver.url, events="member.*\r\nmember.joined", description="Our CRM")
    assert browser.status == 200, browser.text
    [secret] = re.findall(r"whsec_[\w+/=]+", browser.text)
    await browser.follow("To the endpoint")
    assert "member.*, member.joined" in browser.text
    assert secret not in browser.sheet.html
    await browser.visit(_home(team))
    assert "Our CRM" in browser.text
    assert secret not in browser.sheet.html


async def test_what_is_refused_is_said_beside_its_field_and_nothing_is_made(reaching: Reaching, team: Team) -> None:
    house, receiver = reaching
    browser = await _at(house, team.admin, f"{_home(team)}/new")
    await browser.submit(url="https://10.0.0.1/hooks", events="member.joined")
    assert browser.status == 422
    assert "url-fault" in browser.sheet.html
    assert browser.sheet.forms[0].fields["events"] == "member.joined"
    await browser.submit(url=receiver.url, events="nothing.such")
    assert browser.status == 422
    assert "events-fault" in browser.sheet.html
    await browser.visit(_home(team))
    assert "Nobody is told what happens" in browser.text


async def test_a_delivery_is_followed_to_its_last_attempt_and_sent_again(
    reaching: Reaching, team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    await _told(reaching, team, 500)
    browser = await _at(house, team.owner, f"{_home(team)}/{hook.id}")
    assert "member.joined" in browser.text
    await browser.submit(button="Show", state="delivered")
    assert "Nothing that is delivered." in browser.text
    await browser.submit(button="Show", state="pending")
    await browser.follow("member.joined")
    assert "Attempt 1:" in browser.text
    assert ", 500, " in browser.text
    assert '"type":"member.joined"' in browser.text
    receiver.always = (200, {})
    await browser.submit(button="Send it now")
    assert "It is sent again now" in browser.text
    await house.deliver()
    await browser.visit(browser.path.partition("?")[0])
    assert "It arrived:" in browser.text


async def test_an_endpoint_is_tried_changed_and_disabled(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, receiver = reaching
    browser = await _at(house, team.admin, f"{_home(team)}/{hook.id}")
    await browser.submit(button="Send a test message")
    assert "A test message is on its way." in browser.text
    await house.deliver()
    assert any("webhook_endpoint.tested" in str(one) for one in receiver.heard)
    await browser.submit(button="Change the endpoint", description="Other", enabled="no", events="")
    assert "The endpoint is changed." in browser.text
    assert "disabled since" in browser.text
    assert "Told everything" in browser.text.replace("Toldeverything", "Told everything")
    await browser.submit(button="Send a test message")
    assert browser.status == 409
    [form] = [one for one in browser.sheet.forms if one.action.endswith("/change")]
    form.fields["version"] = "1"
    await browser.submit(button="Change the endpoint", description="Again")
    assert browser.status == 412


async def test_another_secret_is_shown_once(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, _ = reaching
    browser = await _at(house, team.admin, f"{_home(team)}/{hook.id}")
    await browser.submit(button="Make another secret", hours="2")
    [secret] = re.findall(r"whsec_[\w+/=]+", browser.text)
    await browser.follow("To the endpoint")
    assert "signs as well until" in browser.text
    assert secret not in browser.sheet.html


async def test_a_span_is_sent_again(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, receiver = reaching
    await _told(reaching, team, 200)
    receiver.heard.clear()
    browser = await _at(house, team.admin, f"{_home(team)}/{hook.id}")
    await browser.submit(button="Send again", since="nonsense", which="all")
    assert browser.status == 422
    hour = datetime.now(UTC) - timedelta(hours=1)
    await browser.submit(button="Send again", since=f"{hour:%Y-%m-%dT%H:%M}", which="all")
    assert "is being sent again" in browser.text
    await house.drain_jobs()
    await house.deliver()
    assert receiver.heard


async def test_an_endpoint_is_deleted(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, _ = reaching
    browser = await _at(house, team.admin, f"{_home(team)}/{hook.id}")
    await browser.submit(button="Delete the endpoint")
    assert "The endpoint is deleted" in browser.text
    await browser.visit(f"{_home(team)}/{hook.id}")
    assert browser.status == 404


@pytest.mark.parametrize("page", ["", "/new", "/{hook}"])
async def test_members_and_strangers_find_none_of_it(reaching: Reaching, team: Team, hook: Hook, page: str) -> None:
    house, _ = reaching
    place = _home(team) + page.format(hook=hook.id)
    assert (await _at(house, team.member, place)).status == 403
    assert (await _at(house, team.stranger, place)).status == 404


async def test_another_organizations_endpoint_is_not_there(reaching: Reaching, team: Team, hook: Hook) -> None:
    house, _ = reaching
    other = await house.team()
    assert (await _at(house, other.owner, f"{_home(other)}/{hook.id}")).status == 404
