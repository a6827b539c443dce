"""The console's pages of API keys, in a browser without scripts: made, shown once, changed, rotated and revoked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tenantry.foundation.data.ids import ORG_ID
from tenantry.testing import Browser, Client, Installation, Team
from tenantry.testing.installation import PASSWORD

POLYGLOT = "'\"/*`--></title></textarea></script><svg onload=alert(1)>{{7*7}}"
SECRET = re.compile(r"tnt_(?:personal|service)_\w+_\w{40,}")


def _keys(team: Team) -> str:
    return f"/console/orgs/{team.org}/api-keys"


async def _at(house: Installation, person: Client, path: str) -> Browser:
    browser = await house.browser().sign_in(person.email, PASSWORD)
    return await browser.visit(path)


async def _made(who: Client, team: Team, **rest: Any) -> dict[str, Any]:
    answer = await who.post(f"{team.path}/api-keys", {"name": "Nightly", "scopes": ["members:read"]} | rest)
    assert answer.status == 201, answer
    return dict(answer.json)


async def _said(who: Client, team: Team, key: str) -> dict[str, Any]:
    return dict((await who.get(f"{team.path}/api-keys/{key}")).json)


async def _opens(house: Installation, team: Team, secret: str) -> bool:
    return (await house.client.signed_in({"access_token": secret}).get(f"{team.path}/members")).status == 200


def _secret(browser: Browser) -> str:
    [secret] = set(SECRET.findall(browser.sheet.html))
    return str(secret)


def _form(browser: Browser, text: str) -> Any:
    [form] = [form for form in browser.sheet.forms if text in form.text]
    return form


async def test_a_key_is_made_and_its_secret_shown_this_once(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.admin, _keys(team))
    assert "No API keys." in browser.text
    await browser.follow("Make an API key")
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date()
    await browser.submit(
        name="Report & co",
        kind="service",
        scopes=["members:read", "flags:read"],
        addresses="127.0.0.0/8\r\n2001:db8::/32\n",
        expires_at=tomorrow.isoformat(),
    )
    assert browser.status == 200
    secret = _secret(browser)
    assert secret.startswith("tnt_service_")
    assert browser.headers["cache-control"] == "no-store"
    assert await _opens(house, team, secret)
    await browser.visit(browser.path)
    assert secret not in browser.sheet.html
    await browser.follow("Back to the API keys")
    assert secret not in browser.sheet.html
    await browser.follow("Report & co")
    assert secret not in browser.sheet.html
    said = await _said(team.owner, team, browser.path.rpartition("/")[2])
    assert f"…{said['hint']}" in browser.text
    assert sorted(said["scopes"]) == ["flags:read", "members:read"]
    assert said["addresses"] == ["127.0.0.0/8", "2001:db8::/32"]
    assert (said["kind"], said["expires_at"]) == ("service", f"{tomorrow}T00:00:00Z")


async def test_a_key_of_which_nothing_more_is_said_is_ones_own_and_ends(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.member, f"{_keys(team)}/new")
    await browser.submit(name="CI", scopes=["members:read"])
    assert _secret(browser).startswith("tnt_personal_")
    [key] = (await team.member.get(f"{team.path}/api-keys")).json["items"]
    assert key["expires_at"] is not None
    assert key["addresses"] == []


async def test_a_refused_form_keeps_what_was_entered_and_ticked(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.owner, f"{_keys(team)}/new")
    await browser.submit(name="CI", scopes=["members:read", "org:read"], addresses="192.0.2.0/24\nnowhere")
    assert browser.status == 422
    [form] = browser.sheet.forms
    assert form.ticked == {"scopes": ["members:read", "org:read"]}
    assert form.fields["name"] == "CI"
    assert form.fields["addresses"].split() == ["192.0.2.0/24", "nowhere"]
    assert "addresses-fault" in browser.sheet.html
    await browser.submit(name="CI", scopes=[], addresses="")
    assert browser.status == 422
    assert "scopes-fault" in browser.sheet.html
    await browser.submit(name="CI", scopes=["org:read"], addresses="", expires_at="2001-01-01")
    assert browser.status == 422
    assert "expires_at-fault" in browser.sheet.html
    many = "\n".join(f"192.0.2.{number}" for number in range(21))
    await browser.submit(name="CI", scopes=["org:read"], addresses=many, expires_at="")
    assert browser.status == 422
    assert "addresses-fault" in browser.sheet.html
    assert (await team.owner.get(f"{team.path}/api-keys")).json["items"] == []


async def test_nobody_is_offered_or_takes_a_scope_that_they_do_not_hold(house: Installation) -> None:
    team = await house.team()
    browser = await _at(house, team.member, f"{_keys(team)}/new")
    [form] = browser.sheet.forms
    assert "members:read" in form.boxes["scopes"]
    assert not {"members:write", "api_keys:own"} & set(form.boxes["scopes"])
    assert "Service" not in browser.text
    form.boxes["scopes"].append("members:write")
    await browser.submit(name="CI", scopes=["members:read", "members:write"])
    assert browser.status == 403
    [form] = browser.sheet.forms
    form.fields["kind"] = "service"
    await browser.submit(name="CI", scopes=["members:read"])
    assert browser.status == 403
    assert (await team.owner.get(f"{team.path}/api-keys")).json["items"] == []


async def test_a_field_that_is_no_list_is_refused_when_it_comes_twice(house: Installation) -> None:
    team = await house.team()
    browser = await house.browser().sign_in(team.owner.email, PASSWORD)
    sent = {
        "cookie": "; ".join(f"{name}={text}" for name, text in browser.cookies.items()),
        "content-type": "application/x-www-form-urlencoded",
        "sec-fetch-site": "same-origin",
        "origin": house.client.origin,
    }
    for body, status in (
        (b"name=A&name=B&scopes=org%3Aread", 400),
        (b"name=A&scopes=org%3Aread" + b"&scopes=org%3Aread" * 300, 400),
        (b"name=A&scopes=org%3Aread&scopes=members%3Aread&scopes=org%3Aread&scopes=", 200),
    ):
        answer = await house.client.request("POST", f"{_keys(team)}/new", data=body, headers=sent)
        assert answer.status == status, body
    [key] = (await team.owner.get(f"{team.path}/api-keys")).json["items"]
    assert key["scopes"] == ["org:read", "members:read"]


async def test_a_key_is_changed_where_nobody_did_so_in_between(house: Installation) -> None:
    team = await house.team()
    key = await _made(team.owner, team, addresses=["192.0.2.0/24"])
    browser = await _at(house, team.owner, f"{_keys(team)}/{key['id']}")
    form = _form(browser, "Save")
    assert form.ticked == {"scopes": ["members:read"]}
    assert form.fields["addresses"] == "192.0.2.0/24"
    await browser.submit(button="Save", name="Daily", scopes=["org:read"], addresses="")
    assert "The API key is changed." in browser.text
    said = await _said(team.owner, team, key["id"])
    assert (said["name"], said["scopes"], said["addresses"]) == ("Daily", ["org:read"], [])
    # a day that was left as it stood does not cut the key's last hours off
    assert said["expires_at"] == key["expires_at"]
    _form(browser, "Save").fields["version"] = "1"
    await browser.submit(button="Save", name="Weekly", scopes=["members:read"])
    assert browser.status == 412
    assert _form(browser, "Save").ticked == {"scopes": ["members:read"]}
    assert _form(browser, "Save").fields["name"] == "Weekly"
    # the page shows the version of now, and what was entered can be sent again
    await browser.submit(button="Save", expires_at=(datetime.now(UTC) + timedelta(days=3)).date().isoformat())
    assert (await _said(team.owner, team, key["id"]))["expires_at"] < key["expires_at"]
    await browser.submit(button="Save", scopes=[])
    assert browser.status == 422
    assert _form(browser, "Save").ticked == {"scopes": []}


async def test_a_service_key_has_its_end_taken_away(house: Installation) -> None:
    team = await house.team()
    end = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    key = await _made(team.owner, team, kind="service", expires_at=end)
    browser = await _at(house, team.admin, f"{_keys(team)}/{key['id']}")
    await browser.submit(button="Save", expires_at="")
    assert (await _said(team.owner, team, key["id"]))["expires_at"] is None


async def test_a_secret_is_rotated_and_the_one_before_lasts_as_long_as_is_said(house: Installation) -> None:
    team = await house.team()
    key = await _made(team.member, team)
    browser = await _at(house, team.member, f"{_keys(team)}/{key['id']}")
    await browser.submit(button="Rotate the secret")
    second = _secret(browser)
    assert "The secret before it opens the same until" in browser.text
    assert await _opens(house, team, key["secret"])
    assert await _opens(house, team, second)
    await browser.follow("To the API key")
    assert second not in browser.sheet.html
    assert "Earlier secret" in browser.text
    await browser.submit(button="Rotate the secret", overlap_seconds="0")
    third = _secret(browser)
    assert [await _opens(house, team, one) for one in (key["secret"], second, third)] == [False, False, True]
    await browser.follow("To the API key")
    for _ in range(5):
        await browser.submit(button="Rotate the secret")
        if browser.status != 200:
            break
        await browser.follow("To the API key")
    assert browser.status == 409
    assert "Too many secrets" in browser.text


async def test_a_key_is_revoked_and_shows_nothing_to_do_any_more(house: Installation) -> None:
    team = await house.team()
    key = await _made(team.member, team)
    browser = await _at(house, team.admin, f"{_keys(team)}/{key['id']}")
    await browser.submit(button="Revoke the key")
    assert "The API key is revoked" in browser.text
    assert not await _opens(house, team, key["secret"])
    await browser.submit(button="Show", status="revoked")
    assert "Nightly" in browser.text
    await browser.submit(button="Show", status="live", kind="service")
    assert "No API keys of this kind and state." in browser.text
    await browser.visit(f"{_keys(team)}/{key['id']}")
    assert browser.sheet.forms == []


async def test_a_restricted_organization_revokes_and_makes_none(house: Installation) -> None:
    team = await house.team()
    key = await _made(team.owner, team)
    await house.rows(
        "update tenantry.orgs set restricted_from = tenantry.now() where id = $1 returning id", ORG_ID.read(team.org)
    )
    browser = await _at(house, team.owner, f"{_keys(team)}/new")
    await browser.submit(name="CI", scopes=["org:read"])
    assert browser.status == 402
    await browser.visit(f"{_keys(team)}/{key['id']}")
    await browser.submit(button="Revoke the key")
    assert "The API key is revoked" in browser.text


async def test_members_find_their_own_keys_and_admins_all_of_them(house: Installation) -> None:
    team = await house.team()
    own, owners = await _made(team.member, team, name="Mine"), await _made(team.owner, team, name="Theirs")
    browser = await _at(house, team.member, _keys(team))
    assert {"Mine", "API keys"} <= browser.sheet.links.keys()
    assert "Theirs" not in browser.text
    await browser.visit(f"{_keys(team)}/{owners['id']}")
    assert browser.status == 404
    browser = await _at(house, team.admin, _keys(team))
    assert {"Mine", "Theirs"} <= browser.sheet.links.keys()
    await browser.follow("Mine")
    # another's personal key is revoked, and never changed
    assert [form.action.rpartition("/")[2] for form in browser.sheet.forms] == ["revocation"]
    for act in ("", "/rotation"):
        form = browser.sheet.forms[0]
        form.action, form.text = f"{_keys(team)}/{own['id']}{act}", "this one"
        form.fields = {"name": "Seized", "version": "1", "scopes": "org:read"} if act == "" else {}
        await browser.submit(button="this one")
        assert browser.status == 403
        assert not SECRET.search(browser.sheet.html)
    assert (await _said(team.member, team, own["id"]))["name"] == "Mine"


async def test_scopes_that_one_does_not_hold_are_said_to_be_lost(house: Installation) -> None:
    team = await house.team()
    key = await _made(team.admin, team, scopes=["members:write", "org:read"])
    role = await team.owner.patch(
        f"{team.path}/members/{team.admin.user_id}", {"role": "member"}, headers={"if-match": "*"}
    )
    assert role.status == 200, role
    browser = await _at(house, team.admin, f"{_keys(team)}/{key['id']}")
    assert "You do not hold members:write" in browser.text
    await browser.submit(button="Rotate the secret")
    assert browser.status == 403
    await browser.submit(button="Save", name="Less")
    assert (await _said(team.owner, team, key["id"]))["scopes"] == ["org:read"]


async def test_a_stranger_finds_no_keys(house: Installation) -> None:
    team = await house.team()
    key = await _made(team.owner, team)
    other = await house.team()
    browser = await _at(house, team.stranger, _keys(team))
    for path in (_keys(team), f"{_keys(team)}/new", f"{_keys(team)}/{key['id']}", f"{_keys(team)}/key_nonsense"):
        await browser.visit(path)
        assert browser.status == 404
        assert "Nightly" not in browser.text
    browser = await _at(house, other.owner, f"{_keys(other)}/{key['id']}")
    assert browser.status == 404


async def test_what_people_typed_is_text_and_nothing_else(house: Installation) -> None:
    person = await house.person(name=POLYGLOT)
    org = (await person.post("/v1/orgs", {"name": "Acme"})).json["id"]
    browser = await _at(house, person, f"/console/orgs/{org}/api-keys/new")
    await browser.submit(name=POLYGLOT, scopes=["org:read"])
    pages = [browser.sheet.html]
    await browser.follow("To the API key")
    pages.append(browser.sheet.html)
    await browser.submit(button="Save", addresses=POLYGLOT)
    assert browser.status == 422
    pages.append(browser.sheet.html)
    await browser.follow("Back to the API keys")
    pages.append(browser.sheet.html)
    for html in pages:
        assert "<svg" not in html.lower()
        assert "&lt;svg onload=alert(1)&gt;{{7*7}}" in html
