"""The console's pages of organizations, in a browser without scripts: what each role finds there, and can do."""

from __future__ import annotations

import re

from tenantry.testing import Browser, Client, Installation, Team
from tenantry.testing.installation import PASSWORD

POLYGLOT = '\'"/*`-->"</title></textarea></script><svg onload=alert(1)>{{7*7}}'


async def _at(house: Installation, person: Client, path: str) -> Browser:
    browser = await house.browser().sign_in(person.email, PASSWORD)
    return await browser.visit(path)


def _home(team: Team) -> str:
    return f"/console/orgs/{team.org}"


async def test_whoever_is_not_signed_in_is_led_to_signing_in_and_back(house: Installation) -> None:
    team = await house.team()
    browser = await house.browser().visit(f"{_home(team)}/members")
    assert browser.path.startswith("/account/login?next=")
    await browser.submit(email=team.member.email, password=PASSWORD)
    assert browser.path == f"{_home(team)}/members"
    assert team.owner.email in browser.text


async def test_somebody_founds_an_organization_and_finds_their_way(house: Installation) -> None:
    person = await house.person(name="Grace Hopper")
    browser = await _at(house, person, "/console")
    assert "You belong to no organization yet." in browser.text
    await browser.submit(name="Harbour & Co")
    assert re.fullmatch(r"/console/orgs/org_\w+", browser.path)
    assert "Your roleowner" in browser.text
    assert {"Overview", "Members", "Invites", "Settings", "Grace Hopper"} <= {*browser.sheet.links, "Grace Hopper"}
    await browser.follow("Harbour & Co")
    assert browser.status == 200
    await browser.follow("All organizations")
    assert browser.path == "/console"


async def test_an_invite_goes_out_is_sent_again_and_taken_back(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.admin, f"{_home(team)}/invites")
    await browser.submit(button="Send the invite", email="new@console.example", role="admin")
    assert "The invite is on its way." in browser.text
    assert await house.mailed_token("new@console.example")
    await browser.submit(button="Send again: new@console.example")
    assert "sent again" in browser.text
    await browser.submit(button="Take back: new@console.example")
    assert "its link leads nowhere" in browser.text
    await browser.submit(button="Show", status="pending")
    assert "No invites that are pending." in browser.text
    await browser.submit(button="Show", status="revoked")
    assert "new@console.example" in browser.text


async def test_a_refused_form_is_shown_again_with_what_was_entered(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.admin, f"{_home(team)}/invites")
    await browser.submit(button="Send the invite", email="nobody at all", role="admin")
    assert browser.status == 422
    assert browser.sheet.forms[0].fields == {"email": "nobody at all", "role": "admin"}
    assert "email-fault" in browser.sheet.html
    await browser.submit(button="Send the invite", email=team.member.email, role="member")
    assert browser.status == 409
    invites = (await team.admin.get(f"{team.path}/invites")).json
    assert invites["items"] == []


async def test_the_roles_of_members_change_and_members_go(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, f"{_home(team)}/members")
    role = f"{_home(team)}/members/{team.member.user_id}/role"
    [form] = [form for form in browser.sheet.forms if form.action == role]
    assert form.fields == {"version": "1", "role": "member"}
    form.fields["role"] = "admin"
    form.text = "this one"
    await browser.submit(button="this one")
    assert "The role is changed." in browser.text
    [form] = [form for form in browser.sheet.forms if form.action == role]
    # somebody else changed it in between
    form.fields["version"], form.text = "1", "this one"
    await browser.submit(button="this one")
    assert browser.status == 412
    [form] = [form for form in browser.sheet.forms if form.action == role.replace("/role", "/removal")]
    form.text = "this one"
    await browser.submit(button="this one")
    assert "The member is removed." in browser.text
    assert team.member.email not in browser.text
    assert (await team.member.get(team.path)).status == 404


async def test_ownership_is_handed_over_and_one_leaves(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, f"{_home(team)}/members")
    [form] = [one for one in browser.sheet.forms if one.action.endswith(f"{team.admin.user_id}/ownership")]
    form.text = "this one"
    await browser.submit(button="this one")
    assert "has another owner now" in browser.text
    await browser.submit(button="Leave")
    assert browser.path == "/console"
    roles = {one["email"]: one["role"] for one in (await team.admin.get(f"{team.path}/members")).json["items"]}
    assert roles == {team.admin.email: "owner", team.member.email: "member"}


async def test_a_member_finds_only_what_they_may(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.member, f"{_home(team)}/members")
    assert "Invites" not in browser.sheet.links
    assert [form.action for form in browser.sheet.forms] == [f"{_home(team)}/members/leaving"]
    await browser.visit(f"{_home(team)}/invites")
    assert browser.status == 403
    await browser.visit(f"{_home(team)}/settings")
    assert browser.status == 403


async def test_a_strangers_organization_is_not_there(house: Installation) -> None:
    team = await house.team()
    browser = await house.browser().sign_in(team.stranger.email, PASSWORD)
    for path in ("", "/members", "/invites", "/settings"):
        await browser.visit(_home(team) + path)
        assert browser.status == 404
        assert "Acme" not in browser.text
    await browser.visit("/console/orgs/nonsense")
    assert browser.status == 404


async def test_an_organization_is_renamed_closed_and_opened_again(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, f"{_home(team)}/settings")
    await browser.submit(button="Rename", name="Harbour", slug="harbour-lights")
    assert "The organization is renamed." in browser.text
    await browser.submit(button="Close the organization", typed="acme")
    assert browser.status == 409
    await browser.submit(button="Close the organization", typed="harbour-lights")
    assert "The organization is closed." in browser.text
    await browser.visit(_home(team))
    assert "This organization is closed." in browser.text
    await browser.visit(f"{_home(team)}/settings")
    await browser.submit(button="Open the organization", typed="harbour-lights")
    assert "The organization is open again." in browser.text


async def test_whoever_is_invited_answers_in_the_console(house: Installation) -> None:
    team = await house.team()
    await team.owner.post(f"{team.path}/invites", {"email": team.stranger.email, "role": "member"})
    browser = await _at(house, team.stranger, "/console")
    await browser.submit(button="Decline: Acme")
    assert "The invite is declined." in browser.text
    await team.owner.post(f"{team.path}/invites", {"email": team.stranger.email, "role": "member"})
    await browser.visit("/console")
    await browser.submit(button="Accept: Acme")
    assert browser.path == _home(team)


async def test_what_people_typed_is_text_and_nothing_else(house: Installation) -> None:
    person = await house.person(name=POLYGLOT)
    browser = await _at(house, person, "/console")
    await browser.submit(name=POLYGLOT)
    home = browser.path
    for page in ("", "/members", "/invites", "/settings"):
        await browser.visit(home + page)
        assert browser.status == 200
        assert "<svg" not in browser.sheet.html.lower()
        assert "&lt;svg" in browser.sheet.html.lower()


async def test_no_form_of_the_console_is_taken_from_another_site(house: Installation) -> None:
    team = await house.team()
    browser = await house.browser().sign_in(team.owner.email, PASSWORD)
    cookie = "; ".join(f"{name}={text}" for name, text in browser.cookies.items())
    sent = {"cookie": cookie, "sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await house.client.request(
        "POST", f"{_home(team)}/members/leaving", data=b"", headers=sent | form
    )  # fmt: skip
    assert answer.status == 403


async def test_an_api_key_opens_no_page(house: Installation) -> None:
    team = await house.team()
    made = await team.owner.post(f"{team.path}/api-keys", {"name": "CI", "scopes": ["members:read"]})
    answer = await house.client.request(
        "GET", f"{_home(team)}/members", headers={"authorization": f"Bearer {made.json['secret']}"}
    )
    assert answer.status == 403


async def test_a_page_names_its_scripts_by_a_nonce_of_its_own(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, _home(team))
    seen = set()
    for _ in range(2):
        await browser.visit(_home(team))
        policy = browser.headers["content-security-policy"]
        [nonce] = re.findall(r"script-src 'nonce-([\w-]+)'", policy)
        scripts = re.findall(r"<script[^>]*>", browser.sheet.html)
        assert scripts
        assert all(f'nonce="{nonce}"' in script for script in scripts)
        assert "unsafe" not in policy
        seen.add(nonce)
    assert len(seen) == 2
