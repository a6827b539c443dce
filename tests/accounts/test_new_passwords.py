"""A new password, by a mailed link or while signed in: who may set it, and what it puts an end to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from people import added, seen

from tables import row_counts
from tenantry.accounts.inputs import FORGOT_SOURCE, RESET_SOURCE
from tenantry.foundation.domain import Registry
from tenantry.testing import Client, HandClock, Installation, Response, installed
from tenantry.testing.installation import PASSWORD

NEW = "seven lanterns over the harbour"


async def _log_in(house: Installation, email: str, password: str) -> Response:
    return await house.client.post("/v1/auth/login", {"email": email, "password": password})


async def _asked(house: Installation, email: str) -> str:
    assert (await house.client.post("/v1/auth/forgot-password", {"email": email})).status == 202
    return await house.mailed_token(email)


async def _reset(house: Installation, token: str, password: str = NEW) -> Response:
    return await house.client.post("/v1/auth/reset-password", {"token": token, "password": password})


async def _alive(device: Client) -> bool:
    return (await device.get("/v1/users/me")).status == 200


async def _subjects(house: Installation, to: str) -> list[str]:
    await house.drain_jobs()
    return [mail.subject for mail in await house.mails() if mail.to == to]


# by a mailed link


async def test_a_mailed_link_sets_a_new_password_and_signs_out_every_device(house: Installation) -> None:
    ada = await house.person()
    other = house.client.signed_in((await _log_in(house, ada.email, PASSWORD)).json)
    answer = await _reset(house, await _asked(house, ada.email))
    assert (answer.status, answer.json) == (200, {"email": ada.email})
    assert [await _alive(device) for device in (ada, other)] == [False, False]
    refreshed = await house.client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
    assert refreshed.code == "refresh_refused"
    assert (await _log_in(house, ada.email, PASSWORD)).code == "invalid_credentials"
    assert (await _log_in(house, ada.email, NEW)).status == 200
    assert "Your password at Tenantry was changed" in await _subjects(house, ada.email)


async def test_a_link_works_once_even_when_it_is_followed_twice_at_once(house: Installation) -> None:
    ada = await house.person()
    token = await _asked(house, ada.email)
    answers = await asyncio.gather(*(_reset(house, token, f"{NEW} {number}") for number in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 410, 410, 410]
    assert (await _reset(house, token)).code == "link_invalid"


async def test_a_newer_link_a_login_a_new_password_and_a_new_address_each_kill_it(house: Installation) -> None:
    ada = await house.person()
    older = await _asked(house, ada.email)
    newer = await _asked(house, ada.email)
    assert (await _reset(house, older)).code == "link_invalid"
    await _log_in(house, ada.email, PASSWORD)
    assert (await _reset(house, newer)).code == "link_invalid"

    bob = await house.person()
    token = await _asked(house, bob.email)
    await bob.post("/v1/users/me/password", {"password": PASSWORD, "new_password": NEW})
    assert (await _reset(house, token)).code == "link_invalid"

    eve = await house.person()
    token = await _asked(house, eve.email)
    await eve.post("/v1/users/me/email", {"email": "eve.moves@example.com", "password": PASSWORD})
    confirm = {"token": await house.mailed_token("eve.moves@example.com")}
    assert (await eve.post("/v1/users/me/email/confirmation", confirm)).status == 200
    assert (await _reset(house, token)).code == "link_invalid"


async def test_a_link_expires_after_an_hour(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person()
    token = await _asked(clocked, ada.email)
    clock.advance(minutes=60, seconds=1)
    assert (await _reset(clocked, token)).code == "link_invalid"


async def test_a_weak_password_is_refused_and_the_link_stays_good(house: Installation) -> None:
    ada = await house.person()
    token = await _asked(house, ada.email)
    refused = await _reset(house, token, "password123456")
    assert (refused.status, refused.code) == (422, "weak_password")
    assert (await _reset(house, token)).status == 200


@pytest.mark.parametrize("purpose", ["verify e-mail", "registration proof", "change address"])
async def test_a_token_of_another_purpose_sets_no_password(house: Installation, purpose: str) -> None:
    ada = await house.person()
    await _asked(house, ada.email)
    ((reset_id,),) = await house.rows(
        "select password_resets.id from tenantry.password_resets join tenantry.users on users.id = user_id"
        " where email = $1",
        ada.email,
    )
    assert (await _reset(house, house.runtime.one_time.issue(purpose, reset_id, 0))).code == "link_invalid"


async def test_asking_for_an_unknown_address_is_answered_alike_and_mails_nobody(installation: Installation) -> None:
    ada = await installation.person()
    await installation.drain_jobs()
    mails = len(await installation.mails())
    unknown = await installation.client.post("/v1/auth/forgot-password", {"email": "nobody@example.com"})
    await installation.drain_jobs()
    assert len(await installation.mails()) == mails
    known = await installation.client.post("/v1/auth/forgot-password", {"email": ada.email})
    assert seen(known) == seen(unknown)


async def test_more_than_five_links_an_hour_are_asked_for_in_vain_and_the_last_stays_good(
    database_url: str, registry: Registry, tmp_path: Path
) -> None:
    counting = {"TENANTRY_RATE_LIMITS": "on"}
    async with installed(database_url, tmp_path, registry=registry, environ=counting) as house:
        ada = await house.person()
        tokens = [await _asked(house, ada.email) for _ in range(7)]
        assert len(set(tokens)) == 5
        assert (await _reset(house, tokens[-1])).status == 200


async def test_nobody_asks_for_links_from_one_source_without_end(
    database_url: str, registry: Registry, tmp_path: Path
) -> None:
    counting = {"TENANTRY_RATE_LIMITS": "on"}
    async with installed(database_url, tmp_path, registry=registry, environ=counting) as house:
        path, body = "/v1/auth/forgot-password", {"email": "nobody@example.com"}
        answers = [await house.client.post(path, body) for _ in range(FORGOT_SOURCE.times + 1)]
        assert [answer.status for answer in answers] == [202] * FORGOT_SOURCE.times + [429]
        again = {"token": "x" * 66, "password": NEW}
        codes = [
            (await house.client.post("/v1/auth/reset-password", again)).code for _ in range(RESET_SOURCE.times + 1)
        ]
        assert codes == ["link_invalid"] * RESET_SOURCE.times + ["rate_limited"]


async def test_a_disabled_person_gets_no_link(installation: Installation) -> None:
    ada = await installation.person()
    await installation.rows("update tenantry.users set disabled_at = tenantry.now()")
    before = await row_counts(installation)
    await installation.client.post("/v1/auth/forgot-password", {"email": ada.email})
    assert "password_resets" not in added(before, await row_counts(installation))


async def test_no_table_holds_a_live_link(installation: Installation) -> None:
    ada = await installation.person()
    token = await _asked(installation, ada.email)
    for table in await row_counts(installation):
        rows = await installation.rows(f"select t::text from {table} t")
        assert not [row for row in rows if token.partition(".")[2] in row[0]], table


# while signed in


async def test_a_new_password_keeps_this_device_and_signs_out_the_others(house: Installation) -> None:
    ada = await house.person()
    other = house.client.signed_in((await _log_in(house, ada.email, PASSWORD)).json)
    answer = await ada.post("/v1/users/me/password", {"password": PASSWORD, "new_password": NEW})
    assert answer.status == 204
    assert [await _alive(device) for device in (ada, other)] == [True, False]
    assert (await _log_in(house, ada.email, NEW)).status == 200
    assert "Your password at Tenantry was changed" in await _subjects(house, ada.email)


async def test_it_needs_the_present_password_or_a_recent_login(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person()
    wrong = await ada.post("/v1/users/me/password", {"password": "not the right one", "new_password": NEW})
    assert (wrong.status, wrong.code) == (401, "invalid_credentials")
    clock.advance(minutes=15, seconds=1)
    refreshed = await clocked.client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
    ada = clocked.client.signed_in(refreshed.json)
    stale = await ada.post("/v1/users/me/password", {"new_password": NEW})
    assert (stale.status, stale.code) == (403, "proof_needed")
    assert (await _log_in(clocked, ada.email, PASSWORD)).status == 200
    fresh = clocked.client.signed_in((await _log_in(clocked, ada.email, PASSWORD)).json)
    assert (await fresh.post("/v1/users/me/password", {"new_password": NEW})).status == 204


async def test_a_login_beside_a_new_password_never_outlives_it(house: Installation) -> None:
    ada = await house.person()
    answers = await asyncio.gather(
        ada.post("/v1/users/me/password", {"password": PASSWORD, "new_password": NEW}),
        *(_log_in(house, ada.email, PASSWORD) for _ in range(3)),
    )
    assert answers[0].status == 204
    for signed_in in (answer for answer in answers[1:] if answer.status == 200):
        assert not await _alive(house.client.signed_in(signed_in.json))


async def test_a_link_a_change_a_login_and_a_closing_at_once_wait_in_no_ring(house: Installation) -> None:
    for _ in range(5):
        ada = await house.person()
        token = await _asked(house, ada.email)
        answers = await asyncio.gather(
            _reset(house, token),
            ada.post("/v1/users/me/password", {"new_password": NEW + " too"}),
            ada.post("/v1/users/me/email", {"email": f"next.{ada.email}"}),
            ada.post("/v1/users/me/closure", {"password": PASSWORD}),
            _log_in(house, ada.email, PASSWORD),
            _log_in(house, ada.email, PASSWORD),
        )
        # each is done or overtaken; a deadlock would be a 503
        assert {answer.status for answer in answers} <= {200, 202, 204, 401, 403, 410}, answers
