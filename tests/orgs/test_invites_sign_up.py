"""Joining by an invite: in one step somebody has an account, is a member and signed in; asked for or in a browser."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from inviting import Acme, accept, acme, happened, invited, new_address, roles, row_of

from tenantry.accounts import exchanges
from tenantry.accounts.problems import LinkInvalid
from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.domain import Registry
from tenantry.foundation.net.address import read_address
from tenantry.testing import Browser, Installation, Response, installed
from tenantry.testing.installation import PASSWORD


@pytest.fixture
async def there(house: Installation) -> Acme:
    """An organization of this test's own."""
    return await acme(house)


async def _register(house: Installation, email: str, token: str, password: str = PASSWORD) -> Response:
    body = {"email": email, "password": password, "name": "Bob", "invite_token": token}
    return await house.client.post("/v1/auth/register", body)


async def _waiting(house: Installation, there: Acme, role: str = "member") -> tuple[str, dict[str, str], str]:
    email = new_address()
    sent = await invited(there, email, role)
    return email, sent, await house.mailed_token(email)


async def test_signing_up_with_an_invite_is_one_step(house: Installation, there: Acme) -> None:
    email, sent, token = await _waiting(house, there, "admin")
    answer = await _register(house, email.upper(), token)
    assert answer.status == 200
    assert set(answer.json) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    bob = house.client.signed_in(answer.json)
    assert (await bob.get(f"/v1/orgs/{there.id}")).json["role"] == "admin"
    assert bob.email.casefold() == email
    assert (await roles(there))[bob.email] == "admin"
    assert await happened(house, "orgs.invite_accepted", sent) == 1
    login = await house.client.post("/v1/auth/login", {"email": email, "password": PASSWORD})
    assert login.status == 200


async def test_without_an_invite_registering_is_what_it_was(house: Installation) -> None:
    body = {"email": new_address(), "password": PASSWORD, "name": "Bob", "invite_token": None}
    assert (await house.client.post("/v1/auth/register", body)).status == 202


async def test_an_invite_proves_its_own_address_only(house: Installation, there: Acme) -> None:
    email, sent, token = await _waiting(house, there)
    known, (_, other_sent, other_token) = await house.person(), await _waiting(house, there)
    await there.owner.delete(f"{there.path}/{other_sent['id']}")
    asked = {
        "another address": await _register(house, new_address(), token),
        "an address with an account": await _register(house, known.email, token),
        "a revoked one": await _register(house, other_sent["email"], other_token),
        "garbage": await _register(house, email, "garbage"),
        "garbage at an address with an account": await _register(house, known.email, "garbage"),
    }
    assert {answer.code for answer in asked.values()} == {"link_invalid"}, asked
    assert {answer.status for answer in asked.values()} == {410}
    assert (await row_of(house, sent))["status"] == "pending"
    assert not await house.rows("select from tenantry.users where email = any ($1)", [email, other_sent["email"]])


async def test_no_password_is_judged_or_hashed_for_a_token_that_leads_nowhere(house: Installation) -> None:
    call = Call(house.runtime, NOBODY, "0123456789")
    with pytest.raises(LinkInvalid):
        await exchanges.register_invited(
            call, address=read_address("a@example.com"), name="Bob", password="weak", token="garbage"
        )


async def test_whoever_has_an_account_is_told_to_sign_in(house: Installation, there: Acme) -> None:
    person = await house.person()
    await invited(there, person.email)
    token = await house.mailed_token(person.email)
    answer = await _register(house, person.email, token)
    assert (answer.status, answer.code) == (409, "address_taken")
    assert "sign in and accept" in answer.json["detail"]
    assert (await accept(person, token)).status == 200


async def test_a_weak_password_joins_nobody(house: Installation, there: Acme) -> None:
    email, _, token = await _waiting(house, there)
    assert (await _register(house, email, token, "password123456")).code == "weak_password"
    assert not await house.rows("select from tenantry.users where email = $1", email)
    assert (await _register(house, email, token)).status == 200


async def test_ten_sign_ups_at_once_make_one_account(house: Installation, there: Acme) -> None:
    email, sent, token = await _waiting(house, there)
    answers = await asyncio.gather(*(_register(house, email, token) for _ in range(10)))
    assert sorted(answer.status for answer in answers if answer.status != 503)[0] == 200
    assert sum(answer.status == 200 for answer in answers) == 1
    assert {answer.status for answer in answers} <= {200, 409, 410, 503}
    assert len(await house.rows("select from tenantry.users where email = $1", email)) == 1
    assert await happened(house, "orgs.invite_accepted", sent) == 1


@pytest.mark.parametrize("why", ["closed", "inviter gone"])
async def test_where_the_invite_leads_nowhere_there_is_no_account(house: Installation, there: Acme, why: str) -> None:
    email = new_address()
    await invited(there, email, by=there.admin)
    token = await house.mailed_token(email)
    if why == "closed":
        slug = (await there.owner.get(f"/v1/orgs/{there.id}")).json["slug"]
        assert (await there.owner.post(f"/v1/orgs/{there.id}/closure", {"slug": slug})).status == 200
    else:
        await there.owner.delete(f"/v1/orgs/{there.id}/members/{there.admin.user_id}")
    answer = await _register(house, email, token)
    assert answer.code == ("org_closed" if why == "closed" else "invite_void")
    assert not await house.rows("select from tenantry.users where email = $1", email)
    assert (await row_of(house, {"email": email}))["status"] == "pending"


async def test_a_squatters_registration_is_gone_with_the_sign_up(house: Installation, there: Acme) -> None:
    email = new_address()
    proof = await house.register(email, password="the squatters own password")
    mailed = await house.mailed_token(email)
    await invited(there, email)
    token = await house.mailed_token(email)
    assert (await _register(house, email, token)).status == 200
    answer = await house.client.post("/v1/auth/verify-email", {"token": mailed, "registration": proof})
    assert answer.status == 410
    assert not await house.rows("select from tenantry.registrations where email = $1", email)


async def _browser(house: Installation, token: str) -> Browser:
    return await house.browser().visit(f"/account/invite?token={token}")


async def test_in_a_browser_somebody_new_joins_by_the_mailed_link(house: Installation, there: Acme) -> None:
    email, sent, token = await _waiting(house, there, "admin")
    browser = await _browser(house, token)
    assert browser.status == 200
    assert f"Ada Lovelace invites you to join {there.name} as admin." in browser.text
    await browser.submit(button="Create account and accept", name="Bob", password="password123456")
    assert browser.status == 422
    assert email not in await roles(there)
    await browser.submit(button="Create account and accept", name="Bob", password=PASSWORD)
    assert browser.path == f"/account/invite?token={token}", browser.text
    assert f"You are a member of {there.name}." in browser.text
    assert (await roles(there))[email] == "admin"
    await browser.follow("Go on")
    assert f"You are signed in as {email}." in browser.text
    assert await happened(house, "orgs.invite_accepted", sent) == 1


async def test_in_a_browser_somebody_known_signs_in_on_the_way(house: Installation, there: Acme) -> None:
    person = await house.person()
    await invited(there, person.email)
    token = await house.mailed_token(person.email)
    browser = await _browser(house, token)
    await browser.follow("Sign in to accept")
    assert browser.path.startswith("/account/login?next=")
    await browser.submit(email=person.email, password=PASSWORD)
    assert browser.path == f"/account/invite?token={token}"
    assert person.email not in await roles(there), "looking changes nothing"
    await browser.submit(button="Accept")
    assert f"You are a member of {there.name}." in browser.text
    assert person.email in await roles(there)


async def test_in_a_browser_an_invite_is_declined_signed_in_or_not(house: Installation, there: Acme) -> None:
    for known in (True, False):
        email = (await house.person()).email if known else new_address()
        sent = await invited(there, email)
        browser = await _browser(house, await house.mailed_token(email))
        if known:
            await browser.follow("Sign in to accept")
            await browser.submit(email=email, password=PASSWORD)
        await browser.submit(button="Decline")
        assert f"The invite to {there.name} was declined." in browser.text
        row = await row_of(house, sent)
        assert (row["status"], row["user_id"] is not None) == ("declined", known)


async def test_in_a_browser_somebody_else_is_told_whom_it_is_for(house: Installation, there: Acme) -> None:
    email, sent, token = await _waiting(house, there)
    eve = await house.person()
    browser = await house.browser().visit("/account/login")
    await browser.submit(email=eve.email, password=PASSWORD)
    await browser.visit(f"/account/invite?token={token}")
    assert f"{email[0]}***@invites.example" in browser.text
    assert email not in browser.sheet.html
    assert browser.sheet.forms == []
    assert (await row_of(house, sent))["status"] == "pending"


async def test_looking_at_an_invite_changes_nothing(house: Installation, there: Acme) -> None:
    _, _, token = await _waiting(house, there)
    counts = "select (select count(*) from tenantry.events) as events, (select count(*) from tenantry.jobs) as jobs,"
    counts += " (select array_agg(status order by id) from tenantry.invites) as invites"
    before = await house.rows(counts)
    browser = await _browser(house, token)
    await browser.visit(f"/account/invite?token={token}")
    assert await house.rows(counts) == before


async def test_a_dead_link_shows_nothing_of_the_organization(house: Installation, there: Acme) -> None:
    _, sent, token = await _waiting(house, there)
    await there.owner.delete(f"{there.path}/{sent['id']}")
    for given in (token, "nonsense", ""):
        browser = await _browser(house, given)
        assert browser.status == 410
        assert there.name not in browser.text


async def test_the_form_of_another_site_accepts_nothing(house: Installation, there: Acme) -> None:
    person = await house.person()
    sent = await invited(there, person.email)
    token = await house.mailed_token(person.email)
    browser = await house.browser().visit("/account/login")
    await browser.submit(email=person.email, password=PASSWORD)
    headers = {
        "content-type": "application/x-www-form-urlencoded", "origin": "https://evil.example",
        "cookie": "; ".join(f"{name}={text}" for name, text in browser.cookies.items()),
    }  # fmt: skip
    data = f"token={token}&act=accept".encode()
    answer = await house.client.request("POST", "/account/invite", data=data, headers=headers)
    assert answer.status == 403
    assert (await row_of(house, sent))["status"] == "pending"


async def test_the_link_can_lead_to_pages_of_the_product(database_url: str, registry: Registry, tmp_path: Path) -> None:
    environ = {"TENANTRY_LINK_INVITE": "https://app.example/join#{token}"}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as house:
        boss = await house.person()
        org = (await boss.post("/v1/orgs", {"name": "Acme"})).json["id"]
        sent = (await boss.post(f"/v1/orgs/{org}/invites", {"email": new_address(), "role": "member"})).json
        await house.drain_jobs()
        [mail] = [one for one in await house.mails() if one.to == sent["email"]]
        assert "https://app.example/join#" in mail.text
        assert "/account/invite" not in mail.text


async def test_a_link_that_was_overtaken_or_forged_shows_and_joins_nothing(house: Installation, there: Acme) -> None:
    person = await house.person()
    for email in (new_address(), person.email):
        await invited(there, email)
        overtaken = await house.mailed_token(email)
        assert (await there.owner.post(there.path, {"email": email, "role": "member"})).status == 200
        name, _, mac = (await house.mailed_token(email)).partition(".")
        for given in (overtaken, f"{name}.{mac[::-1]}"):
            browser = await _browser(house, given)
            assert browser.status == 410
            assert there.name not in browser.text
            answer = await _register(house, email, given)
            assert (answer.status, answer.code) == (410, "link_invalid"), "not even whether there is an account"
