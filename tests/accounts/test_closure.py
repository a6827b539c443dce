"""Closing an account: what still works meanwhile, how it is opened again, and what stands in the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from closing import CLOSURE, close, closed, id_of, reopen, sign_in
from people import patiently

from tenantry.accounts import actions, domain
from tenantry.accounts.problems import Blocker
from tenantry.assemble import registry as build_registry
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.refusals import AccountClosed, SessionEnded
from tenantry.foundation.work import PersonWork, SystemWork, Work
from tenantry.testing import HandClock, Installation
from tenantry.testing.installation import PASSWORD


async def test_a_closed_account_says_when_it_is_purged_and_keeps_the_device_that_closed_it(house: Installation) -> None:
    ada = await house.person()
    other = house.client.signed_in((await sign_in(house, ada.email)).json)
    before = (await ada.get("/v1/users/me")).json
    assert before["closes_at"] is None
    answer = await close(ada)
    assert answer.status == 200
    closes = datetime.fromisoformat(answer.json["closes_at"]) - datetime.now().astimezone()
    assert timedelta(days=29, hours=23) < closes < timedelta(days=30, minutes=1)
    seen = await ada.get("/v1/users/me")
    assert seen.json == before | {"closes_at": answer.json["closes_at"]}
    assert (await other.get("/v1/users/me")).code == "session_ended"
    ended = await house.rows("select ended_why from tenantry.sessions where user_id = $1", id_of(ada))
    assert Counter(row["ended_why"] for row in ended) == {None: 1, "closed": 1}


async def test_a_cached_profile_is_read_anew_after_a_closing(house: Installation) -> None:
    ada = await house.person()
    tag = (await ada.get("/v1/users/me")).headers["etag"]
    await close(ada)
    assert (await ada.get("/v1/users/me", headers={"if-none-match": tag})).status == 200


async def test_closing_is_recorded_and_mailed_with_the_way_back(house: Installation) -> None:
    ada = await closed(house)
    await house.drain_jobs()
    mail = next(mail for mail in await house.mails() if mail.to == ada.email)
    assert mail.subject == "Your account at Tenantry is closed"
    assert f"{house.origin}/account/login" in mail.text
    assert {"user_id": str(id_of(ada))} in await house.recorded("accounts.user_closed")


@pytest.mark.parametrize("ask", [close, reopen])
async def test_a_wrong_password_closes_and_opens_nothing(house: Installation, ask) -> None:  # type: ignore[no-untyped-def]
    ada = await house.person() if ask is close else await closed(house)
    before = (await ada.get("/v1/users/me")).json
    assert (await ask(ada, password="wrong horse battery staple")).code == "invalid_credentials"
    assert (await ada.get("/v1/users/me")).json == before


async def test_whoever_is_not_signed_in_closes_nothing(house: Installation) -> None:
    assert (await close(house.client)).status == 401
    assert (await reopen(house.client)).status == 401


async def test_a_signed_out_device_closes_nothing(house: Installation) -> None:
    ada = await house.person()
    await ada.post("/v1/auth/logout", {"scope": "local"})
    assert (await close(ada)).code == "session_ended"
    assert (await house.rows("select closed_at from tenantry.users where id = $1", id_of(ada)))[0]["closed_at"] is None


async def test_a_closed_account_can_do_only_what_is_declared_open_to_it(house: Installation) -> None:
    ada = await closed(house)
    body = {"name": "Ada King"}
    assert (await ada.patch("/v1/users/me", body)).code == "account_closed"
    assert (await close(ada)).code == "account_closed"
    assert (await ada.get("/v1/users/me")).status == 200
    # in an organization it means a closed organization; a closed account is in none
    own = [route for route in house.registry.routes if not route.in_org]
    open_to_closed = {f"{route.method} {route.path}" for route in own if route.even_closed}
    assert open_to_closed == {
        "GET /v1/users/me",
        "DELETE /v1/users/me/closure",
        "POST /v1/users/me/exports",
        "POST /v1/users/me/exports/download",
    }


async def test_every_other_route_of_a_signed_in_person_is_shut_for_a_closed_account(house: Installation) -> None:
    ada = await closed(house)
    # an operator's routes know nobody who has an account
    theirs = [route for route in house.registry.routes if not route.of_operators]
    shut = [route for route in theirs if not route.public and not route.even_closed]
    assert shut
    for route in shut:
        path = route.path
        for name, kind in route.ids.items():
            path = path.replace(f"{{{name}}}", kind.text(kind.new()))
        if route.query is not None and "token" in route.query.__struct_fields__:
            path += "?token=nothing"
        body = route.example if route.body is not None else None
        match = {"if-match": "*"} if route.needs_match else {}
        answer = await ada.request(route.method, path, body=body, headers=match)
        # a token of nobody's is refused before anybody is asked for
        refused = {"account_closed", "link_invalid"} if "token" in (route.example or ()) else {"account_closed"}
        assert answer.code in refused, (route.method, route.path, answer)


async def test_a_closed_account_still_signs_in_refreshes_and_signs_out(house: Installation) -> None:
    ada = await closed(house)
    signed_in = await sign_in(house, ada.email)
    assert signed_in.status == 200
    assert signed_in.json["user"]["closes_at"] is not None
    refreshed = await house.client.post("/v1/auth/refresh", {"refresh_token": signed_in.json["refresh_token"]})
    assert refreshed.status == 200
    again = house.client.signed_in(refreshed.json)
    assert (await again.get("/v1/users/me")).status == 200
    assert (await again.patch("/v1/users/me", {"name": "Ada King"})).code == "account_closed"
    assert (await again.post("/v1/auth/logout", {"scope": "all"})).status == 204
    assert (await ada.get("/v1/users/me")).code == "session_ended"


async def test_a_disabled_account_stays_shut_whether_or_not_it_is_closed(house: Installation) -> None:
    ada = await closed(house)
    await house.rows("update tenantry.users set disabled_at = tenantry.now() where id = $1", id_of(ada))
    assert (await ada.get("/v1/users/me")).code == "session_ended"
    assert (await reopen(ada)).code == "session_ended"
    assert (await sign_in(house, ada.email)).code == "invalid_credentials"


async def test_a_closed_accounts_address_stays_taken(house: Installation) -> None:
    ada = await closed(house)
    await house.drain_jobs()
    await house.register(ada.email)
    await house.drain_jobs()
    mail = next(mail for mail in await house.mails() if mail.to == ada.email)
    assert mail.subject == "You already have an account at Tenantry"


async def test_links_that_were_mailed_before_are_dead_after_a_closing(house: Installation) -> None:
    ada = await house.person()
    await house.client.post("/v1/auth/forgot-password", {"email": ada.email})
    await house.drain_jobs()
    rows = "select from tenantry.password_resets where user_id = $1"
    assert len(await house.rows(rows, id_of(ada))) == 1
    await close(ada)
    assert await house.rows(rows, id_of(ada)) == []


async def test_opening_again_brings_everything_back(house: Installation) -> None:
    ada = await closed(house)
    answer = await reopen(ada)
    assert (answer.status, answer.json["closes_at"]) == (200, None)
    assert (await ada.patch("/v1/users/me", {"name": "Ada King"})).status == 200
    await house.drain_jobs()
    mail = next(mail for mail in await house.mails() if mail.to == ada.email)
    assert mail.subject == "Your account at Tenantry is open again"
    assert {"user_id": str(id_of(ada))} in await house.recorded("accounts.user_reopened")
    assert (await reopen(ada)).code == "not_closed"


async def test_an_account_opened_again_before_the_mail_went_out_gets_no_mail_of_a_closing(house: Installation) -> None:
    ada = await closed(house)
    await reopen(ada)
    await house.drain_jobs()
    subjects = [mail.subject for mail in await house.mails() if mail.to == ada.email]
    assert "Your account at Tenantry is closed" not in subjects


async def test_closing_touches_nobody_else(house: Installation) -> None:
    eve = await house.person()
    await closed(house)
    assert (await eve.get("/v1/users/me")).json["closes_at"] is None
    assert (await eve.patch("/v1/users/me", {"name": "Eve"})).status == 200


async def test_one_of_two_devices_that_close_at_once_closes(house: Installation) -> None:
    ada = await house.person()
    devices = [ada] + [house.client.signed_in((await sign_in(house, ada.email)).json) for _ in range(3)]
    answers = await asyncio.gather(*(patiently(lambda one=one: close(one)) for one in devices))
    assert Counter(answer.status for answer in answers)[200] == 1
    assert {answer.code for answer in answers} <= {None, "account_closed", "session_ended", "too_many_guesses"}
    alive = await house.rows("select from tenantry.sessions where user_id = $1 and ended_at is null", id_of(ada))
    assert len(alive) == 1
    assert (await house.recorded("accounts.user_closed")).count({"user_id": str(id_of(ada))}) == 1


async def test_a_login_at_the_moment_of_a_closing_leaves_no_open_door(house: Installation) -> None:
    ada = await house.person()
    answer, *logins = await asyncio.gather(
        patiently(lambda: close(ada)), *(patiently(lambda: sign_in(house, ada.email)) for _ in range(4))
    )
    assert answer.status == 200
    for login in logins:
        if login.code == "too_many_guesses":
            continue
        assert login.status == 200
        came_in = house.client.signed_in(login.json)
        changed = await came_in.patch("/v1/users/me", {"name": "Ada King"})
        assert changed.code in {"account_closed", "session_ended"}


async def test_the_grace_is_counted_by_the_installations_clock(clocked: Installation, clock: HandClock) -> None:
    ada = await closed(clocked, "ada@example.com")
    clock.advance(days=29)
    back = clocked.client.signed_in((await sign_in(clocked, ada.email)).json)
    assert (await reopen(back)).status == 200


# what blocks closing


class Answers:
    """What a trial domain says to the question what blocks a closing."""

    def __init__(self) -> None:
        self.blockers: tuple[Blocker, ...] = ()

    async def __call__(self, work: Work, user_id: UUID) -> Sequence[Blocker]:
        return self.blockers


@pytest.fixture
def trial() -> Iterator[Answers]:
    """A higher domain that knows what blocks a closing; forgotten again after the test."""
    answers = Answers()
    higher = Domain(name="trial", needs=("accounts",), answers={actions.what_blocks_closing: answers})
    Registry((domain.domain, higher))
    yield answers
    actions.what_blocks_closing.answered_by(())
    build_registry()


async def test_what_another_domain_still_needs_blocks_a_closing_until_it_is_settled(
    house: Installation, trial: Answers
) -> None:
    ada = await house.person()
    trial.blockers = (Blocker("sole_owner", "You are the only owner of Acme.", "org_1"),)
    answer = await close(ada)
    assert (answer.status, answer.code) == (409, "closure_blocked")
    assert answer.json["blockers"] == [
        {"code": "sole_owner", "message": "You are the only owner of Acme.", "id": "org_1"}
    ]
    assert (await ada.get("/v1/users/me")).json["closes_at"] is None
    trial.blockers = ()
    assert (await close(ada)).status == 200


async def test_closing_takes_the_password_and_nothing_else(house: Installation) -> None:
    ada = await house.person()
    assert (await ada.post(CLOSURE, {})).status == 422
    assert (await ada.post(CLOSURE, {"password": PASSWORD, "now": True})).status == 422
    assert (await ada.delete(CLOSURE)).status in {400, 422}


async def test_a_device_that_was_signed_out_since_its_password_was_proven_closes_and_opens_nothing(
    house: Installation,
) -> None:
    for person, verb in ((await house.person(), actions.close_account), (await closed(house), actions.reopen_account)):
        (row,) = await house.rows("select id from tenantry.sessions where user_id = $1", id_of(person))
        await person.post("/v1/auth/logout", {"scope": "all"})
        with pytest.raises(SessionEnded):
            async with SystemWork(Call(house.runtime, Actor("job"), "a-test"), reason="a test") as work:
                await verb(work, user_id=id_of(person), session_id=row["id"])


async def test_an_account_closed_since_its_password_was_proven_is_not_closed_again(
    house: Installation,
) -> None:
    ada = await closed(house)
    (row,) = await house.rows("select id from tenantry.sessions where user_id = $1", id_of(ada))
    with pytest.raises(AccountClosed):
        async with SystemWork(Call(house.runtime, Actor("job"), "a-test"), reason="a test") as work:
            await actions.close_account(work, user_id=id_of(ada), session_id=row["id"])


async def test_a_person_cannot_use_the_verbs_of_the_house(house: Installation) -> None:
    ada = await house.person()
    (row,) = await house.rows("select id from tenantry.sessions where user_id = $1", id_of(ada))
    call = Call(house.runtime, Actor("person", id_of(ada), row["id"]), "a-test")
    for verb in (actions.close_account, actions.reopen_account):
        with pytest.raises(Forbidden):
            async with PersonWork(call) as work:
                await verb(work, user_id=id_of(ada), session_id=row["id"])  # type: ignore[arg-type]
