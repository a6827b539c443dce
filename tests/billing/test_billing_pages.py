"""Billing in the console, in a browser without scripts: from the first look to the last."""

from __future__ import annotations

from typing import Any

from billing_kit import org_uuid
from selling_kit import Shop

from tenantry.billing.settings import BillingSettings
from tenantry.foundation.security.secret import Secret
from tenantry.testing import Browser, Client, Installation, Team
from tenantry.testing.installation import PASSWORD
from tenantry.testing.stripe.faults import Fault


def _place(team: Team) -> str:
    return f"/console/orgs/{team.org}/billing"


async def _signed_in(house: Installation, person: Client) -> Browser:
    browser = await house.browser().visit("/account/login")
    await browser.submit(email=person.email, password=PASSWORD)
    assert browser.path == "/account", browser.text
    return browser


async def _at(shop: Shop, team: Team, person: Client | None = None) -> Browser:
    browser = await _signed_in(shop.house, person or team.owner)
    await browser.visit(_place(team))
    assert browser.status == 200, browser.text
    return browser


async def _only(shop: Shop) -> dict[str, Any]:
    [subscription] = shop.at_stripe("subscription")
    return subscription


async def test_an_organization_subscribes_and_sees_it_when_it_comes_back(shop: Shop) -> None:
    team = await shop.house.team()
    browser = await _at(shop, team)
    assert "Acme is on the plan Free. There is no subscription." in browser.text
    assert "99.00 EUR a month" in browser.text
    assert f"form-action 'self' {shop.running.url};" in f"{browser.headers['content-security-policy']};"
    await browser.submit(button="Subscribe to Business by the month")
    assert browser.path.startswith(shop.running.url)
    shop.stripe.deliveries.switch("drop")
    status, back = await shop.press(browser.path, card="visa")
    assert status == 303
    await browser.visit(back)
    assert (browser.status, browser.path.partition("?")[0]) == (200, _place(team))
    assert "The organization is subscribed." in browser.text
    assert "Acme is on the plan Business. It is paid, and is renewed on" in browser.text
    assert "99.00 EUR paid" in browser.text
    assert "Subscribe to" not in browser.sheet.html


async def test_a_checkout_that_was_left_can_be_gone_on_with(shop: Shop) -> None:
    team = await shop.house.team()
    opened = (await shop.checkout(team.owner, team, "business")).json
    browser = await _at(shop, team)
    assert browser.sheet.links["Go on to payment"] == opened["url"]
    await browser.visit(f"{_place(team)}?checkout={opened['id']}")
    assert "Nothing was paid yet." in browser.text


async def test_the_checkout_of_another_organization_shows_nothing_and_asks_nothing(shop: Shop) -> None:
    mine, others = await shop.house.team("Mine"), await shop.house.team("Others")
    theirs = (await shop.checkout(others.owner, others, "business")).json
    await shop.press(theirs["url"], card="visa")
    plain = (await _at(shop, mine)).text
    for checkout in (theirs["id"], "chk_nonsense", mine.org):
        browser = await _signed_in(shop.house, mine.owner)
        await browser.visit(f"{_place(mine)}?checkout={checkout}")
        assert (browser.status, browser.text) == (200, plain)
    answer = await mine.owner.get(f"{mine.path}/billing/checkout/{theirs['id']}")
    assert answer.status == 404
    assert theirs["url"] not in str(answer.json)


async def test_where_a_checkout_leads_back_to_opens_nothing_to_whoever_is_not_let_in(shop: Shop) -> None:
    team = await shop.house.team()
    opened = (await shop.checkout(team.owner, team, "business")).json
    _, back = await shop.press(opened["url"], card="visa")
    browser = await shop.house.browser().visit(back)
    assert browser.path.startswith("/account/login?next=")
    assert "Acme" not in browser.text
    member = await _signed_in(shop.house, team.member)
    await member.visit(back)
    assert (member.status, "Acme" in member.text) == (403, False)
    stranger = await _signed_in(shop.house, team.stranger)
    await stranger.visit(back)
    assert (stranger.status, "Acme" in stranger.text) == (404, False)
    # who is led to signing in first comes back to it
    await browser.submit(email=team.owner.email, password=PASSWORD)
    assert "The organization is subscribed." in browser.text


async def test_billing_is_in_the_menu_of_those_who_look_after_it(shop: Shop) -> None:
    team = await shop.house.team()
    for person, found in ((team.owner, True), (team.admin, True), (team.member, False)):
        browser = await _signed_in(shop.house, person)
        await browser.visit(f"/console/orgs/{team.org}")
        assert (browser.sheet.links.get("Billing") == _place(team)) is found


async def test_members_may_press_no_button_either(shop: Shop) -> None:
    team = await shop.house.team()
    browser = await _at(shop, team)
    form = next(one for one in browser.sheet.forms if one.fields.get("plan") == "business")
    for person, status in ((team.member, 403), (team.stranger, 404)):
        other = await _signed_in(shop.house, person)
        other.sheet.forms = [form]
        await other.submit()
        assert other.status == status
    assert shop.at_stripe("checkout.session") == []


async def test_a_page_of_another_site_presses_no_button(shop: Shop) -> None:
    team = await shop.house.team()
    browser = await _at(shop, team)
    cookie = "; ".join(f"{name}={text}" for name, text in browser.cookies.items())
    headers = {"origin": "https://evil.example", "cookie": cookie, "content-type": "application/x-www-form-urlencoded"}
    data = b"act=subscribe&plan=business"
    answer = await shop.house.client.request("POST", f"{_place(team)}/decision", data=data, headers=headers)
    assert answer.status == 403
    assert shop.at_stripe("checkout.session") == []


async def test_a_change_is_looked_at_before_it_is_done(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "growing")
    before = await _only(shop)
    browser = await _at(shop, team)
    await browser.submit(button="Change to Business by the month")
    assert browser.path == f"{_place(team)}/change?plan=business&interval=month"
    assert "It changes at once. To pay now: 84.00 EUR" in browser.text
    assert "Unused time" in browser.text
    assert await _only(shop) == before, "looking changes nothing"
    await browser.submit(button="Change and pay")
    assert browser.path == f"{_place(team)}?done=changed", browser.text
    assert "The subscription is changed." in browser.text
    assert "Acme is on the plan Business." in browser.text


async def test_a_declined_card_changes_nothing_and_is_said_on_the_page(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "growing")
    shop.stripe.decline(await shop.customer_of(team))
    browser = await _at(shop, team)
    await browser.submit(button="Change to Business by the month")
    await browser.submit(button="Change and pay")
    assert (browser.status, browser.path) == (402, f"{_place(team)}/change")
    assert "declined" in browser.text
    assert "Change and pay" in browser.text, "what was looked at is still there"
    await browser.visit(_place(team))
    assert "Acme is on the plan Growing." in browser.text


async def test_what_costs_less_changes_later_and_can_be_taken_back(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    browser = await _at(shop, team)
    await browser.submit(button="Change to Growing by the month")
    assert "Nothing is to be paid now; then it is 15.00 EUR." in browser.text
    await browser.submit(button="Change")
    assert browser.path == f"{_place(team)}?done=later", browser.text
    assert "it becomes Growing with 3 seats" in browser.text
    await browser.submit(button="Stay as it is")
    assert "The change that was planned is taken back." in browser.text
    await browser.submit(button="Change")
    assert "it becomes" not in browser.text


async def test_seats_are_bought_on_the_page_and_too_few_are_refused_there(shop: Shop) -> None:
    team = await shop.house.team()
    browser = await _at(shop, team)
    await browser.submit(button="Subscribe to Team by the month", seats="2")
    assert (browser.status, browser.path) == (422, f"{_place(team)}/decision")
    assert "3 to 50" in browser.text
    refused = next(one for one in browser.sheet.forms if "Subscribe to Team by the month" in one.text)
    assert refused.fields["seats"] == "2", "what was entered is still there"
    assert browser.sheet.html.count('id="seats"') == browser.sheet.html.count('id="seats-fault"') == 1
    await browser.submit(button="Subscribe to Team by the month", seats="4")
    await shop.press(browser.path, card="visa")
    await browser.visit(_place(team))
    await shop.heard()
    await browser.visit(_place(team))
    assert "3 of 4 bought seats are taken" in browser.text
    assert "The trial ends on" in browser.text
    await browser.submit(button="Look at the new price", seats="2")
    assert (browser.status, browser.path) == (422, f"{_place(team)}/decision")
    await browser.submit(button="Look at the new price", seats="6")
    assert "6 seats" in browser.text
    await browser.submit(button="Change")
    assert "3 of 6 bought seats are taken" in browser.text
    assert (await _only(shop))["items"]["data"][0]["quantity"] == 6


async def test_it_is_cancelled_with_a_reason_and_goes_on_again(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    browser = await (await _at(shop, team)).follow("Cancel the subscription")
    assert "The plan Business stays until" in browser.text
    await browser.submit(reason="We are done.")
    assert browser.path == f"{_place(team)}?done=cancelled", browser.text
    assert "The subscription ends on" in browser.text
    told = await _only(shop)
    assert (told["cancel_at_period_end"], told["cancellation_details"]["comment"]) == (True, "We are done.")
    await browser.visit(f"{_place(team)}/cancel")
    assert "The subscription is cancelled, and ends on" in browser.text
    await browser.visit(_place(team))
    await browser.submit(button="Let the subscription go on")
    assert "The subscription goes on." in browser.text
    assert (await _only(shop))["cancel_at_period_end"] is False


async def test_the_portal_is_one_button_away(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "business")
    browser = await _at(shop, team, team.admin)
    await browser.submit(button="Open Stripe's pages")
    assert browser.path == shop.at_stripe("billing_portal.session")[0]["url"]


async def test_a_bill_that_is_not_paid_is_said_with_its_link_also_when_all_else_is_shut(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "team", card="chargeCustomerFail")
    await shop.advance(days=14, hours=3)
    browser = await _at(shop, team)
    assert "A payment failed. The plan stays until" in browser.text
    assert "36.00 EUR could not be paid. It is tried again on" in browser.text
    assert browser.sheet.links["Pay it now"].startswith(shop.running.url)
    await shop.house.rows(
        "update tenantry.orgs set restricted_from = tenantry.now() where id = $1 returning id", org_uuid(team)
    )
    await browser.visit(_place(team))
    await browser.submit(button="Open Stripe's pages")
    assert browser.path.startswith(shop.running.url)
    await browser.visit(f"{_place(team)}/cancel")
    assert "ends at once" in browser.text
    await browser.submit()
    assert "There is no subscription." in browser.text
    assert shop.at_stripe("subscription")[0]["status"] == "canceled"


async def test_where_stripe_does_not_answer_the_page_says_so_and_shows_what_is_known(shop: Shop) -> None:
    team = await shop.house.team()
    opened = (await shop.checkout(team.owner, team, "business")).json
    browser = await _at(shop, team)
    shop.stripe.faults.order(Fault(401, times=100))
    await browser.visit(f"{_place(team)}?checkout={opened['id']}")
    assert browser.status == 200
    assert "Stripe does not answer just now." in browser.text
    assert "Acme is on the plan Free." in browser.text
    await browser.submit(button="Subscribe to Business by the year")
    assert (browser.status, browser.path) == (503, f"{_place(team)}/decision")


async def test_where_nothing_is_sold_there_is_no_button(house: Installation) -> None:
    team = await house.team()
    browser = await _signed_in(house, team.owner)
    await browser.visit(_place(team))
    assert (browser.status, browser.sheet.forms) == (200, [])
    assert "Nothing is sold here." in browser.text
    assert "stripe" not in browser.headers["content-security-policy"]
    for page in ("change", "cancel"):
        await browser.visit(f"{_place(team)}/{page}")
        assert (browser.status, browser.sheet.forms) == (200, [])


async def test_nothing_that_is_no_organization_has_a_page(house: Installation) -> None:
    team = await house.team()
    browser = await _signed_in(house, team.owner)
    for org in ("org_nonsense", team.owner.user_id, team.org.upper()):
        await browser.visit(f"/console/orgs/{org}/billing")
        assert browser.status == 404


def test_forms_may_lead_to_stripes_own_pages_and_to_no_other_place_of_the_world() -> None:
    own = BillingSettings(stripe_secret_key=Secret("sk_live_one_of_a_test"))
    assert own.page_origins == ("https://checkout.stripe.com", "https://billing.stripe.com")
    local = BillingSettings(stripe_api_base="http://127.0.0.1:12111/")
    assert local.page_origins == ("http://127.0.0.1:12111",)
