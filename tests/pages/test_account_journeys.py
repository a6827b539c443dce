"""A person with a browser and no script: everything about an account, page by page."""

from __future__ import annotations

import json

from tenantry.accounts import actions
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.work import PersonWork
from tenantry.testing import Browser, HandClock, Installation
from tenantry.testing.installation import PASSWORD

NEXT = "seven lanterns over the harbour"


async def _mailed(house: Installation, to: str, page: str) -> str:
    """The path of the newest link to a page of ours that was mailed to an address."""
    await house.drain_jobs()
    for mail in await house.mails():
        if mail.to == to and f"{house.origin}{page}" in mail.text:
            start = mail.text.index(f"{house.origin}{page}")
            return mail.text[start:].split()[0].removeprefix(house.origin)
    raise AssertionError(f"no mail led {to} to {page}")


async def _joined(house: Installation, email: str) -> Browser:
    browser = house.browser()
    await browser.visit("/account/register")
    await browser.submit(name="Ada Lovelace", email=email, password=PASSWORD)
    assert browser.path == "/account/mailed"
    await browser.visit(await _mailed(house, email, "/account/verify?token="))
    await browser.submit(password=PASSWORD)
    assert browser.path == "/account", browser.text
    return browser


async def test_signing_up_leads_through_the_mail_to_ones_own_page(house: Installation) -> None:
    browser = await _joined(house, "up@pages.example")
    assert "You are signed in as up@pages.example." in browser.text


async def test_a_person_signs_in_where_they_wanted_to_go_and_out_again(house: Installation) -> None:
    await _joined(house, "inout@pages.example")
    browser = await house.browser().visit("/account/devices")
    assert browser.path.startswith("/account/login?next=")
    await browser.submit(email="inout@pages.example", password=PASSWORD)
    assert browser.path == "/account/devices"
    await browser.follow("Sign out")
    await browser.submit()
    assert "You are signed out." in browser.text
    assert browser.cookies == {}
    assert (await browser.visit("/account")).path.startswith("/account/login")


async def test_a_forgotten_password_is_set_anew_and_nobody_is_signed_in_by_it(house: Installation) -> None:
    before = await _joined(house, "forgot@pages.example")
    browser = await (await house.browser().visit("/account/login")).follow("Forgot your password?")
    await browser.submit(email="forgot@pages.example")
    assert browser.path == "/account/mailed"
    await browser.visit(await _mailed(house, "forgot@pages.example", "/account/reset?token="))
    await browser.submit(password=NEXT)
    assert browser.path == "/account/login?done=reset"
    assert browser.cookies == {}
    assert (await before.visit("/account")).path.startswith("/account/login")
    await browser.submit(email="forgot@pages.example", password=NEXT)
    assert browser.path == "/account"


async def test_a_profile_is_changed_and_a_mistake_is_said_beside_its_field(house: Installation) -> None:
    browser = await _joined(house, "profile@pages.example")
    await browser.submit(name="Ada King", locale="de-CH", timezone="Europe/Zurich")
    assert "Your profile is saved." in browser.text
    assert browser.sheet.forms[0].fields["name"] == "Ada King"
    await browser.submit(name="Ada Byron", timezone="Mars/Olympus")
    assert browser.status == 422
    assert 'id="timezone-fault"' in browser.sheet.html
    assert browser.sheet.forms[0].fields["name"] == "Ada Byron", "what was entered is still there"
    assert (await browser.visit("/account")).sheet.forms[0].fields["name"] == "Ada King"


async def test_two_windows_do_not_overwrite_each_other(house: Installation) -> None:
    first = await _joined(house, "windows@pages.example")
    second = house.browser()
    second.cookies = dict(first.cookies)
    await second.visit("/account")
    await first.submit(name="First")
    await second.submit(name="Second")
    assert second.status == 412
    assert (await first.visit("/account")).sheet.forms[0].fields["name"] == "First"


async def test_a_password_is_changed_and_other_browsers_are_signed_out(house: Installation) -> None:
    browser = await _joined(house, "change@pages.example")
    other = await house.browser().visit("/account/login")
    await other.submit(email="change@pages.example", password=PASSWORD)
    await browser.visit("/account/password")
    await browser.submit(password="not the password", new_password=NEXT)
    assert browser.status == 401
    assert "The address or the password is wrong." in browser.text
    await browser.submit(password=PASSWORD, new_password="short")
    assert browser.status == 422
    await browser.submit(password=PASSWORD, new_password=NEXT)
    assert browser.path == "/account?done=password"
    assert (await other.visit("/account")).path.startswith("/account/login")


async def test_an_address_is_changed_by_the_link_that_the_new_one_gets(house: Installation) -> None:
    browser = await _joined(house, "old@pages.example")
    await browser.follow("E-mail")
    await browser.submit(email="new@pages.example", password=PASSWORD)
    assert "A link is on its way" in browser.text
    link = await _mailed(house, "new@pages.example", "/account/email?token=")
    # followed where nobody is signed in yet: first one signs in, then one confirms
    elsewhere = await house.browser().visit(link)
    await elsewhere.submit(email="old@pages.example", password=PASSWORD)
    assert elsewhere.path == link
    await elsewhere.submit()
    assert "Your new address is confirmed" in elsewhere.text
    assert "You are signed in as new@pages.example." in elsewhere.text


async def test_devices_are_listed_and_signed_out(house: Installation) -> None:
    browser = await _joined(house, "devices@pages.example")
    for agent in ("Phone/1", "Tablet/2", "<b>Laptop</b>"):
        other = await house.browser(agent=agent).visit("/account/login")
        await other.submit(email="devices@pages.example", password=PASSWORD)
    await browser.follow("Devices")
    assert len(browser.sheet.forms) == 5
    assert "<b>Laptop</b>" in browser.text
    assert "<b>Laptop" not in browser.sheet.html
    await browser.submit(button="Sign out")
    assert "The device is signed out." in browser.text
    await browser.submit(button="Sign out all other devices")
    assert browser.sheet.text.count("this device") == 1
    assert len(browser.sheet.forms) == 1
    assert (await other.visit("/account")).path.startswith("/account/login")


async def test_a_persons_data_is_taken_away_as_a_file_once(house: Installation) -> None:
    browser = await _joined(house, "export@pages.example")
    await browser.follow("Your data")
    await browser.submit()
    assert "Your data is being gathered." in browser.text
    link = await _mailed(house, "export@pages.example", "/account/export?token=")
    await browser.visit(link)
    await browser.submit()
    assert browser.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert json.loads(browser.sheet.html)["sections"]["profile"]["email"] == "export@pages.example"
    await (await browser.visit(link)).submit()
    assert browser.status == 410


async def test_an_account_is_closed_and_opened_again(house: Installation) -> None:
    browser = await _joined(house, "closing@pages.example")
    await browser.follow("Close account")
    await browser.submit(password=PASSWORD)
    assert "Your account is closed." in browser.text
    # whatever else they ask for leads to the one page that helps
    assert (await browser.visit("/account/password")).path == "/account/closure"
    await browser.submit(password=PASSWORD)
    assert "Your account is open again." in browser.text


async def test_a_browser_that_comes_back_stays_signed_in_and_one_that_does_not_is_signed_out(
    clocked: Installation, clock: HandClock
) -> None:
    browser, idle = await _joined(clocked, "back@pages.example"), clocked.browser()
    await idle.visit("/account/login")
    await idle.submit(email="back@pages.example", password=PASSWORD)
    first = dict(browser.cookies)
    for _ in range(4):
        clock.advance(days=20)
        assert (await browser.visit("/account")).path == "/account"
    assert browser.cookies != first
    assert (await idle.visit("/account")).path.startswith("/account/login")
    clock.advance(days=11)
    assert (await browser.visit("/account")).path.startswith("/account/login"), "90 days are the most"


async def test_a_browsers_use_is_written_down_once_an_hour(clocked: Installation, clock: HandClock) -> None:
    browser = await _joined(clocked, "used@pages.example")
    for _ in range(5):
        await browser.visit("/account")
    assert await clocked.recorded("accounts.session_used") == []
    clock.advance(minutes=61)
    for _ in range(5):
        await browser.visit("/account")
    assert len(await clocked.recorded("accounts.session_used")) == 1


async def test_a_session_that_ended_meanwhile_is_not_used(house: Installation) -> None:
    person = await house.person()
    actor = Actor(
        "person", USER_ID.read(person.user_id), house.runtime.refresh.read(person.tokens["refresh_token"]).session
    )
    async with PersonWork(Call(house.runtime, actor, "0123456789")) as work:
        assert (await person.post("/v1/auth/logout", {"scope": "local"})).status == 204
        await actions.use_session(work)
    assert person.user_id not in {one["user_id"] for one in await house.recorded("accounts.session_used")}
