"""The sheet of what an organization pays: one look that says what is open, why, and until when."""

from __future__ import annotations

from typing import Any

from selling_kit import Shop

from tenantry.testing import Client, Installation, Team


async def _sheet(person: Client, team: Team) -> Any:
    answer = await person.get(f"{team.path}/billing")
    assert answer.status == 200, answer
    return answer.json


async def test_an_organization_that_pays_nothing_is_told_so(shop: Shop) -> None:
    team = await shop.house.team()
    sheet = await _sheet(team.admin, team)
    assert sheet == {
        "on": True,
        "plan": {"key": "free", "name": "Free", "version": 1},
        "level": "free",
        "reason": "no_subscription",
        "until": None,
        "restricted_from": None,
        "subscription": None,
        "seats": {"bought": None, "taken": 3},
        "checkout": None,
        "customer": False,
        "payment_failed": None,
    }


async def test_an_open_checkout_is_on_the_sheet_until_it_is_over(shop: Shop) -> None:
    team = await shop.house.team()
    opened = (await shop.checkout(team.owner, team, "business")).json
    sheet = await _sheet(team.admin, team)
    assert (sheet["checkout"], sheet["customer"]) == (opened, True)
    await shop.press(opened["url"], card="visa")
    await shop.heard()
    sheet = await _sheet(team.owner, team)
    assert (sheet["checkout"], sheet["level"], sheet["reason"]) == (None, "plan", "paid")
    assert sheet["plan"]["key"] == "business"


async def test_a_checkout_whose_time_is_over_is_not_offered_though_nobody_has_heard(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.checkout(team.owner, team, "business")
    shop.clock.advance(days=2)
    assert (await _sheet(await shop.back(team.owner), team))["checkout"] is None


async def test_a_trial_says_until_when_and_how_many_seats(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "team", seats=5)
    sheet = await _sheet(team.owner, team)
    assert (sheet["level"], sheet["reason"], sheet["seats"]) == ("plan", "trial", {"bought": 5, "taken": 3})
    assert sheet["until"] is not None
    assert sheet["subscription"]["status"] == "trialing"


async def test_a_failed_payment_says_how_much_and_where_it_is_paid(shop: Shop) -> None:
    team = await shop.house.team()
    await shop.subscribe(team.owner, team, "team", card="chargeCustomerFail")
    await shop.advance(days=14, hours=3)
    sheet = await _sheet(await shop.back(team.admin), team)
    failed = sheet["payment_failed"]
    assert (sheet["level"], sheet["reason"]) == ("plan", "grace")
    assert (failed["amount"], failed["currency"], failed["attempts"]) == (3600, "eur", 1)
    assert failed["next_attempt_at"] is not None
    assert failed["hosted_url"].startswith(shop.running.url)
    assert sheet["until"] == sheet["restricted_from"] is not None


async def test_where_nothing_is_sold_the_sheet_says_so(house: Installation) -> None:
    team = await house.team()
    sheet = await _sheet(team.owner, team)
    assert (sheet["on"], sheet["subscription"], sheet["level"], sheet["plan"]["key"]) == (False, None, "free", "free")


async def test_members_without_the_right_and_strangers_see_no_sheet(house: Installation) -> None:
    team = await house.team()
    refused = await team.member.get(f"{team.path}/billing")
    assert (refused.status, refused.code, refused.json["permission"]) == (403, "forbidden", "billing:read")
    assert (await team.stranger.get(f"{team.path}/billing")).status == 404
