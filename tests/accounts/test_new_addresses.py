"""A new address: nothing changes until it is proven, the old one hears of it, and nobody takes another's."""

from __future__ import annotations

import asyncio

from tenantry.testing import Client, HandClock, Installation, Response
from tenantry.testing.installation import PASSWORD


async def _ask(device: Client, email: str) -> Response:
    return await device.post("/v1/users/me/email", {"email": email, "password": PASSWORD})


async def _confirm(device: Client, token: str) -> Response:
    return await device.post("/v1/users/me/email/confirmation", {"token": token})


async def _subjects(house: Installation, to: str) -> list[str]:
    await house.drain_jobs()
    return [mail.subject for mail in await house.mails() if mail.to == to]


async def test_a_new_address_counts_once_it_is_confirmed(house: Installation) -> None:
    ada = await house.person()
    other = house.client.signed_in(
        (await house.client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD})).json
    )
    assert (await _ask(ada, "Ada.King@example.com")).status == 202
    assert (await ada.get("/v1/users/me")).json["email"] == ada.email
    confirmed = await _confirm(ada, await house.mailed_token("Ada.King@example.com"))
    assert (confirmed.status, confirmed.json["email"]) == (200, "Ada.King@example.com")
    assert (await ada.get("/v1/users/me")).status == 200
    assert (await other.get("/v1/users/me")).status == 401
    for email, status in ((ada.email, 401), ("ada.king@example.com", 200)):
        answer = await house.client.post("/v1/auth/login", {"email": email, "password": PASSWORD})
        assert answer.status == status
    told = await _subjects(house, ada.email)
    assert "A new address was asked for at Tenantry" in told
    assert "Your address at Tenantry was changed" in told


async def test_another_persons_address_is_not_taken_and_not_told(house: Installation) -> None:
    ada, bob = await house.person(), await house.person()
    free = await _ask(ada, "free@example.com")
    taken = await _ask(ada, bob.email)
    assert (taken.status, taken.body) == (free.status, free.body)
    assert "You already have an account at Tenantry" in await _subjects(house, bob.email)
    ((change_id,),) = await house.rows("select id from tenantry.address_changes where email = $1", bob.email)
    answer = await _confirm(ada, house.runtime.one_time.issue("change address", change_id, 0))
    assert (answer.status, answer.code) == (409, "address_taken")
    assert (await ada.get("/v1/users/me")).json["email"] == ada.email


async def test_a_link_is_of_use_to_the_person_who_asked_alone_and_once(house: Installation) -> None:
    ada, bob = await house.person(), await house.person()
    await _ask(ada, "once@example.com")
    token = await house.mailed_token("once@example.com")
    assert (await _confirm(bob, token)).code == "link_invalid"
    assert (await _confirm(house.client, token)).status == 401
    answers = await asyncio.gather(*(_confirm(ada, token) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [200, 410, 410]


async def test_a_newer_wish_and_a_new_password_kill_the_link(house: Installation) -> None:
    ada = await house.person()
    await _ask(ada, "first@example.com")
    first = await house.mailed_token("first@example.com")
    await _ask(ada, "second@example.com")
    second = await house.mailed_token("second@example.com")
    assert (await _confirm(ada, first)).code == "link_invalid"
    new = {"password": PASSWORD, "new_password": "seven lanterns over the harbour"}
    assert (await ada.post("/v1/users/me/password", new)).status == 204
    assert (await _confirm(ada, second)).code == "link_invalid"


async def test_a_link_expires_after_a_day(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person()
    await _ask(ada, "late@example.com")
    token = await clocked.mailed_token("late@example.com")
    clock.advance(hours=24, seconds=1)
    again = {"email": ada.email, "password": PASSWORD}
    ada = clocked.client.signed_in((await clocked.client.post("/v1/auth/login", again)).json)
    assert (await _confirm(ada, token)).code == "link_invalid"


async def test_it_needs_the_password_or_a_recent_login(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person()
    wrong = await ada.post("/v1/users/me/email", {"email": "new@example.com", "password": "not the right one"})
    assert wrong.code == "invalid_credentials"
    assert (await ada.post("/v1/users/me/email", {"email": "new@example.com"})).status == 202
    clock.advance(minutes=15, seconds=1)
    renewed = await clocked.client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
    ada = clocked.client.signed_in(renewed.json)
    assert (await ada.post("/v1/users/me/email", {"email": "newer@example.com"})).code == "proof_needed"
