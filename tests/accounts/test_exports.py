"""Taking one's data away: asked for, gathered by a job, handed over once to the person who is signed in."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from closing import closed, id_of, on_schedule, sign_in

from tenantry.accounts import actions, domain, exchanges
from tenantry.accounts.exchanges import EXPORT
from tenantry.assemble import registry as build_registry
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.security.sealing import SealBroken
from tenantry.foundation.work import SystemWork, Work
from tenantry.testing import Client, HandClock, Installation, Response

EXPORTS = "/v1/users/me/exports"


async def _ask(person: Client) -> Response:
    return await person.post(EXPORTS)


async def _take(person: Client, token: str) -> Response:
    return await person.post(f"{EXPORTS}/download", {"token": token})


async def _mailed(house: Installation, person: Client) -> str:
    """The token of an export that was asked for just now."""
    answer = await _ask(person)
    assert answer.status == 202, answer
    return await house.mailed_token(person.email)


async def test_a_person_takes_away_what_is_held_about_them(house: Installation) -> None:
    ada, eve = await house.person(name="Ada Lovelace"), await house.person(name="Eve")
    asked = await _ask(ada)
    assert (asked.status, asked.json["status"]) == (202, "gathering")
    token = await house.mailed_token(ada.email)
    assert (await _ask(ada)).json == {"id": asked.json["id"], "status": "ready"}
    answer = await _take(ada, token)
    assert answer.status == 200
    sections = answer.json["sections"]
    assert sections["profile"]["email"] == ada.email
    assert sections["profile"]["id"] == ada.user_id
    assert [device["ended_at"] for device in sections["devices"]] == [None]
    assert {"accounts.user_joined", "accounts.session_started"} <= {one["kind"] for one in sections["history"]}
    for stranger in (eve.email, eve.user_id, str(id_of(eve)), "argon2", token):
        assert stranger not in answer.body.decode()


async def test_the_mail_leads_to_our_page_and_says_how_long(house: Installation) -> None:
    ada = await house.person()
    await _mailed(house, ada)
    mail = next(mail for mail in await house.mails() if mail.to == ada.email)
    assert mail.subject == "Your data from Tenantry is ready"
    assert f"{house.origin}/account/export?token=" in mail.text
    assert "24 hours" in mail.text


async def test_a_link_works_once(house: Installation) -> None:
    ada = await house.person()
    token = await _mailed(house, ada)
    answers = await asyncio.gather(*(_take(ada, token) for _ in range(6)))
    assert Counter(answer.status for answer in answers) == {200: 1, 410: 5}
    assert (await _take(ada, token)).code == "link_invalid"
    (row,) = await house.rows("select sealed, used_at from tenantry.exports where user_id = $1", id_of(ada))
    assert row["sealed"] is None
    assert row["used_at"] is not None
    assert len([one for one in await house.recorded("accounts.export_taken") if one["user_id"] == str(id_of(ada))]) == 1


async def test_nobody_takes_another_persons_export(house: Installation) -> None:
    ada, eve = await house.person(), await house.person()
    token = await _mailed(house, ada)
    assert (await _take(eve, token)).code == "link_invalid"
    assert (await _take(house.client, token)).status == 401
    assert (await _take(ada, token)).status == 200


async def test_a_token_that_is_not_ours_takes_nothing(house: Installation) -> None:
    ada = await house.person()
    token = await _mailed(house, ada)
    one_time = house.runtime.one_time
    forged = [token[:-1] + ("A" if token[-1] != "A" else "B"), one_time.issue("verify e-mail", one_time.read(token), 0)]
    for each in [*forged, one_time.issue(EXPORT, new_id(), 0), "nonsense"]:
        assert (await _take(ada, each)).code == "link_invalid"
    assert (await _take(ada, token)).status == 200


async def test_a_link_ends_after_a_day(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person("ada@example.com")
    token = await _mailed(clocked, ada)
    clock.advance(hours=24, minutes=1)
    back = clocked.client.signed_in((await sign_in(clocked, ada.email)).json)
    assert (await _take(back, token)).code == "link_invalid"


async def test_within_an_hour_it_is_the_same_export_and_after_it_was_taken_one_has_to_wait(
    clocked: Installation, clock: HandClock
) -> None:
    ada = await clocked.person("ada@example.com")
    await asyncio.gather(*(ada.get("/v1/users/me") for _ in range(8)))  # connections, so that all go at once
    first, *others = await asyncio.gather(*(_ask(ada) for _ in range(8)))
    assert {one.json["id"] for one in others} == {first.json["id"]}
    assert len(await clocked.rows("select from tenantry.exports")) == 1
    token = await clocked.mailed_token(ada.email)
    clock.advance(minutes=2)
    assert (await _take(ada, token)).status == 200
    refused = await _ask(ada)
    assert (refused.status, refused.code) == (429, "too_many_exports")
    assert 3400 < int(refused.headers["retry-after"]) <= 3480
    clock.advance(minutes=59)
    back = clocked.client.signed_in((await sign_in(clocked, ada.email)).json)
    assert (await _ask(back)).json["id"] != first.json["id"]


async def test_a_newer_export_ends_the_link_before(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person("ada@example.com")
    before = await _mailed(clocked, ada)
    clock.advance(hours=2)
    back = clocked.client.signed_in((await sign_in(clocked, ada.email)).json)
    after = await _mailed(clocked, back)
    assert before != after
    assert (await _take(back, before)).code == "link_invalid"
    assert (await _take(back, after)).status == 200


async def test_a_closed_account_can_still_take_its_data_away(house: Installation) -> None:
    ada = await closed(house)
    token = await _mailed(house, ada)
    assert (await _take(ada, token)).status == 200


async def test_what_waits_to_be_taken_is_sealed_for_its_row(house: Installation) -> None:
    ada = await house.person(name="Ottoline Quux")
    await _mailed(house, ada)
    (row,) = await house.rows("select id, sealed from tenantry.exports where user_id = $1", id_of(ada))
    assert b"Ottoline" not in row["sealed"]
    with pytest.raises(SealBroken):
        house.runtime.sealer.open(row["sealed"], aad=f"exports|sealed||{new_id()}")


async def test_an_export_put_in_another_persons_row_is_not_handed_out(installation: Installation) -> None:
    ada, eve = await installation.person(), await installation.person()
    await _mailed(installation, ada)
    token = await _mailed(installation, eve)
    await installation.rows(
        """
        update tenantry.exports
           set sealed = (select sealed from tenantry.exports where user_id = $1)
         where user_id = $2
        """,
        id_of(ada),
        id_of(eve),
    )
    answer = await _take(eve, token)
    assert answer.status == 500
    assert ada.email not in answer.body.decode()


async def test_old_exports_are_removed(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person("ada@example.com")
    await _mailed(clocked, ada)
    clock.advance(hours=23)
    await on_schedule(clocked, "accounts.remove_old_exports")
    assert len(await clocked.rows("select from tenantry.exports")) == 1
    clock.advance(hours=2)
    await on_schedule(clocked, "accounts.remove_old_exports")
    assert await clocked.rows("select from tenantry.exports") == []


async def test_a_taken_export_is_removed_once_another_may_be_asked_for(clocked: Installation, clock: HandClock) -> None:
    ada = await clocked.person("ada@example.com")
    await _take(ada, await _mailed(clocked, ada))
    await on_schedule(clocked, "accounts.remove_old_exports")
    assert len(await clocked.rows("select from tenantry.exports")) == 1
    clock.advance(minutes=61)
    await on_schedule(clocked, "accounts.remove_old_exports")
    assert await clocked.rows("select from tenantry.exports") == []


async def test_an_export_of_a_person_who_is_gone_ends_quietly(installation: Installation) -> None:
    ada = await installation.person()
    await _ask(ada)
    await installation.rows("delete from tenantry.users")
    await installation.drain_jobs()
    assert await installation.rows("select from tenantry.dead_letters") == []


async def test_whoever_is_not_signed_in_asks_for_nothing(house: Installation) -> None:
    assert (await _ask(house.client)).status == 401


# what other domains hold


class Held:
    """What a trial domain says it holds."""

    def __init__(self) -> None:
        self.sections: Mapping[str, Any] = {}

    async def __call__(self, work: Work, user_id: UUID) -> Mapping[str, Any]:
        return {name: f"{content} of {user_id}" for name, content in self.sections.items()}


@pytest.fixture
def trial() -> Iterator[Held]:
    """A higher domain that holds something; forgotten again after the test."""
    held = Held()
    Registry((domain.domain, Domain(name="trial", needs=("accounts",), answers={actions.what_is_held: held})))
    yield held
    build_registry()


async def test_every_domain_says_what_it_holds(house: Installation, trial: Held) -> None:
    ada = await house.person()
    trial.sections = {"notes": "a thought"}
    sections = (await _take(ada, await _mailed(house, ada))).json["sections"]
    assert sections["notes"] == f"a thought of {id_of(ada)}"
    assert sections["profile"]["email"] == ada.email


async def test_an_export_that_is_too_large_is_given_up_with_a_reason(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await installation.person()
    await installation.drain_jobs()
    monkeypatch.setattr("tenantry.accounts.exchanges.exports.MAX_EXPORT", 100)
    await _ask(ada)
    await installation.drain_jobs()
    (row,) = await installation.rows("select kind, reason from tenantry.dead_letters")
    assert row["kind"] == "accounts.gather_export"
    assert "100 is the limit" in row["reason"]
    assert ada.email not in row["reason"]


async def test_the_house_cannot_ask_for_or_take_a_persons_export(house: Installation) -> None:
    call = Call(house.runtime, Actor("job"), "a-test")
    with pytest.raises(Forbidden):
        async with SystemWork(call, reason="a test") as work:
            await actions.ask_export(work)  # type: ignore[arg-type]
    with pytest.raises(Forbidden):
        async with SystemWork(call, reason="a test") as work:
            await actions.take_export(work, export_id=new_id())  # type: ignore[arg-type]


async def test_gathering_twice_keeps_the_first(house: Installation) -> None:
    ada = await house.person()
    await _mailed(house, ada)
    (row,) = await house.rows("select id from tenantry.exports where user_id = $1", id_of(ada))
    call = Call(house.runtime, Actor("job"), "a-retry-of-a-test")
    assert await exchanges.gather_export(call, export_id=row["id"]) is None
    async with SystemWork(call, reason="a test") as work:
        await actions.finish_export(work, export_id=row["id"], sealed=b"another")
    (after,) = await house.rows("select sealed from tenantry.exports where id = $1", row["id"])
    assert after["sealed"] != b"another"
