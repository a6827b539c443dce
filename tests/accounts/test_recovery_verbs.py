"""The verbs of recovery: the house's alone, and each leaves nothing behind that means nothing any more."""

from __future__ import annotations

from typing import Any

import pytest

from tenantry.accounts import actions, exchanges
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID, new_id
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.net.address import read_address
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.work import PersonWork, SystemWork
from tenantry.testing import Client, HandClock, Installation
from tenantry.testing.installation import PASSWORD

ID, ADDRESS = new_id(), read_address("ada@example.com")
OF_THE_HOUSE: dict[Any, dict[str, Any]] = {
    actions.guess: {"email_key": ADDRESS.key},
    actions.forget_guesses: {"email_key": ADDRESS.key},
    actions.forget_old_guesses: {"most": 1},
    actions.ask_password_reset: {"address": ADDRESS},
    actions.reset_password: {"user_id": ID, "reset_id": ID, "password_hash": "x"},
    actions.set_password: {"user_id": ID, "password_hash": "x", "by_link": False, "keep": None},
    actions.forget_links: {"user_id": ID},
    actions.forget_expired_links: {},
    actions.ask_address_change: {"user_id": ID, "address": ADDRESS},
    actions.change_address: {"user_id": ID, "session_id": ID, "change_id": ID},
    actions.disable_user: {"user_id": ID, "why": "x", "until": None},
    actions.enable_user: {"user_id": ID},
    actions.enable_due_users: {"most": 1},
    actions.end_every_session: {"user_id": ID, "why": "password", "keep": None},
}
OF_ONESELF: dict[Any, dict[str, Any]] = {
    exchanges.change_password: {"password": None, "new_password": "seven lanterns over the harbour"},
    exchanges.ask_address_change: {"address": ADDRESS, "password": None},
    exchanges.confirm_address: {"token": "x"},
}


async def _call(house: Installation, ada: Client) -> Call:
    claims = await house.runtime.keys.verify(ada.tokens["access_token"])
    actor = Actor("person", USER_ID.read(claims.sub), SESSION_ID.read(claims.sid))
    return Call(house.runtime, actor, "request-of-a-test")


@pytest.mark.parametrize("verb", OF_THE_HOUSE, ids=lambda verb: verb.__name__)
async def test_a_person_may_use_none_of_the_houses_verbs(house: Installation, verb: Any) -> None:
    async with PersonWork(await _call(house, await house.person())) as work:
        with pytest.raises(Forbidden):
            await verb(work, **OF_THE_HOUSE[verb])


@pytest.mark.parametrize("verb", OF_ONESELF, ids=lambda verb: verb.__name__)
async def test_nobody_who_is_not_signed_in_changes_an_account(house: Installation, verb: Any) -> None:
    with pytest.raises(Forbidden):
        await verb(Call(house.runtime, NOBODY, "request-of-a-test"), **OF_ONESELF[verb])


async def test_anybody_may_ask_for_a_link_and_follow_it(house: Installation) -> None:
    ada = await house.person()
    nobody = Call(house.runtime, NOBODY, "request-of-a-test")
    await exchanges.forgot_password(nobody, address=read_address(ada.email))
    token = await house.mailed_token(ada.email)
    assert await exchanges.reset_password(nobody, token=token, password="seven lanterns over the harbour") == ada.email


async def test_what_expired_is_removed_by_the_hour(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person()
    await clocked.client.post("/v1/auth/login", {"email": "nobody@example.com", "password": "wrong"})
    await clocked.client.post("/v1/auth/forgot-password", {"email": ada.email})
    await ada.post("/v1/users/me/email", {"email": "next@example.com", "password": PASSWORD})
    tables = ("guesses", "password_resets", "address_changes")
    assert [len(await clocked.rows(f"select from tenantry.{table}")) for table in tables] == [1, 1, 1]
    clock.advance(days=8, hours=1)
    async with SystemWork(Call(clocked.runtime, NOBODY, "request-of-a-test"), reason="a test") as work:
        work.enqueue(NewJob("accounts.forget_what_expired"))
    await clocked.drain_jobs()
    assert [len(await clocked.rows(f"select from tenantry.{table}")) for table in tables] == [0, 0, 0]


async def test_recovery_is_written_as_a_history_without_addresses(installation: Installation) -> None:
    ada = await installation.person()
    await installation.client.post("/v1/auth/forgot-password", {"email": ada.email})
    body = {"token": await installation.mailed_token(ada.email), "password": "seven lanterns over the harbour"}
    await installation.client.post("/v1/auth/reset-password", body)
    ada = installation.client.signed_in(
        (await installation.client.post("/v1/auth/login", {"email": ada.email, "password": body["password"]})).json
    )
    await ada.post("/v1/users/me/email", {"email": "next@example.com"})
    confirm = {"token": await installation.mailed_token("next@example.com")}
    await ada.post("/v1/users/me/email/confirmation", confirm)
    told = await installation.rows("select kind, payload::text from tenantry.events order by tx, id")
    assert [kind for kind, _ in told][3:] == [
        "accounts.password_reset_asked",
        "accounts.session_ended",
        "accounts.password_changed",
        "accounts.session_started",
        "accounts.address_change_asked",
        "accounts.address_changed",
    ]
    assert not [payload for _, payload in told if "@" in payload]
