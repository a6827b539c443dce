"""Devices: which are signed in, how one is signed out, how a new one is told of, how many there may be."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from people import patiently

from tables import row_counts
from tenantry.accounts import actions, exchanges, jobs, models
from tenantry.accounts.actions import devices
from tenantry.accounts.models import network_of
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.net.mailbox import Mail
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import Forbidden, NotFound
from tenantry.foundation.work import PersonWork, SystemWork
from tenantry.testing import Client, HandClock, Installation, Response, installed
from tenantry.testing.installation import PASSWORD

MINE = "/v1/users/me/sessions"
PHONE, LAPTOP = "Phone/1.0", "Laptop/2.0"
HOME, NEXT_DOOR, ABROAD = "192.0.2.7", "192.0.2.99", "198.51.100.7"


@pytest.fixture
async def travelling(
    database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Installation]:
    """An installation behind a proxy, so that a test says where it calls from, with a clock set by hand."""
    proxied = {"TENANTRY_TRUSTED_PROXIES": "127.0.0.0/8"}
    async with installed(database_url, tmp_path, registry=registry, environ=clock.environ | proxied) as running:
        yield running


async def _answer(
    house: Installation, person: Client, *, agent: str | None = None, source: str | None = None
) -> Response:
    headers = {name: text for name, text in (("user-agent", agent), ("x-forwarded-for", source)) if text is not None}
    body = {"email": person.email, "password": PASSWORD}
    return await patiently(lambda: house.client.post("/v1/auth/login", body, headers=headers))


async def _sign_in(
    house: Installation, person: Client, *, agent: str | None = None, source: str | None = None
) -> Client:
    answer = await _answer(house, person, agent=agent, source=source)
    assert answer.status == 200, answer
    return house.client.signed_in(answer.json)


def _session(house: Installation, device: Client) -> UUID:
    return house.runtime.refresh.read(device.tokens["refresh_token"]).session


def _name(house: Installation, device: Client) -> str:
    return SESSION_ID.text(_session(house, device))


async def _items(device: Client, query: str = "") -> list[dict[str, Any]]:
    answer = await device.get(MINE + query)
    assert answer.status == 200, answer
    return list(answer.json["items"])


async def _refresh(house: Installation, device: Client) -> Response:
    return await house.client.post("/v1/auth/refresh", {"refresh_token": device.tokens["refresh_token"]})


async def _why(house: Installation, device: Client) -> str | None:
    rows = await house.rows("select ended_why from tenantry.sessions where id = $1", _session(house, device))
    return None if not rows else rows[0]["ended_why"]


# the list


async def test_a_person_sees_their_devices_the_one_used_last_first(travelling: Installation, clock: HandClock) -> None:
    first = await travelling.person("ada@example.com")
    began = clock.now
    clock.advance(minutes=1)
    phone = await _sign_in(travelling, first, agent=PHONE, source=HOME)
    clock.advance(minutes=1)
    laptop = await _sign_in(travelling, first, agent=LAPTOP, source=ABROAD)
    clock.advance(minutes=1)
    assert (await _refresh(travelling, first)).status == 200
    items = await _items(phone)
    assert [item["id"] for item in items] == [_name(travelling, one) for one in (first, laptop, phone)]
    assert [item["current"] for item in items] == [False, False, True]
    assert [(item["agent"], item["source"]) for item in items[1:]] == [(LAPTOP, ABROAD), (PHONE, HOME)]
    assert [datetime.fromisoformat(item["last_used_at"]) - began for item in items] == [
        timedelta(minutes=3),
        timedelta(minutes=2),
        timedelta(minutes=1),
    ]
    assert datetime.fromisoformat(items[0]["created_at"]) == began
    assert datetime.fromisoformat(items[0]["expires_at"]) == began + models.SESSION_LIFE
    by_age = await _items(phone, "?order=-created_at")
    assert [item["id"] for item in by_age] == [_name(travelling, one) for one in (laptop, phone, first)]


async def test_what_has_ended_expired_or_lain_idle_is_not_listed(travelling: Installation, clock: HandClock) -> None:
    idle = await travelling.person("ada@example.com")
    ended, refreshed = [await _sign_in(travelling, idle) for _ in range(2)]
    assert (await ended.post("/v1/auth/logout", {})).status == 204
    assert {item["id"] for item in await _items(idle)} == {_name(travelling, idle), _name(travelling, refreshed)}
    for days in (20, 20):
        refreshed = await _refreshed_after(travelling, clock, refreshed, days)
    assert [item["id"] for item in await _items(refreshed)] == [_name(travelling, refreshed)]
    for days in (20, 29):
        refreshed = await _refreshed_after(travelling, clock, refreshed, days)
    clock.advance(days=2)
    later = await _sign_in(travelling, idle)
    assert [item["id"] for item in await _items(later)] == [_name(travelling, later)]


async def _refreshed_after(house: Installation, clock: HandClock, device: Client, days: int) -> Client:
    clock.advance(days=days)
    answer = await _refresh(house, device)
    assert answer.status == 200, answer
    return house.client.signed_in(answer.json)


async def test_nobody_sees_the_devices_of_another_person(house: Installation) -> None:
    ada, bob = await house.person(), await house.person()
    assert [item["id"] for item in await _items(ada)] == [_name(house, ada)]
    assert [item["id"] for item in await _items(bob)] == [_name(house, bob)]


async def test_the_wall_of_the_database_hides_and_keeps_the_sessions_of_others(house: Installation) -> None:
    ada, bob = await house.person(), await house.person()
    connection: asyncpg.Connection[Any] = await asyncpg.connect(house.runtime.database.url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("set local role tenantry_app")
        mine, theirs = _session(house, ada), _session(house, bob)
        await connection.fetchval("select tenantry.enter($1, $2)", USER_ID.read(ada.user_id), mine)
        assert [row["id"] for row in await connection.fetch("select id from tenantry.sessions")] == [mine]
        end = "update tenantry.sessions set ended_at = tenantry.now(), ended_why = 'revoked' where id = $1"
        assert await connection.execute(end, theirs) == "UPDATE 0"
        # whatever it asks for, and where it asks for all
        assert await connection.execute(end.partition(" where ")[0]) == "UPDATE 1"
        again = "update tenantry.sessions set ended_at = null, ended_why = null where id = $1"
        assert await connection.execute(again, mine) == "UPDATE 0"
    finally:
        await transaction.rollback()
        await connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "ended_at = tenantry.now(), ended_why = 'logout', expires_at = expires_at + interval '1 day'",
        "ended_at = tenantry.now(), ended_why = 'logout', counter = 0",
        "rotated_at = tenantry.now(), source = '192.0.2.1'",
    ],
)
async def test_a_person_may_only_use_or_end_a_session_and_change_nothing_else_of_it(
    house: Installation, change: str
) -> None:
    ada = await house.person()
    connection: asyncpg.Connection[Any] = await asyncpg.connect(house.runtime.database.url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("set local role tenantry_app")
        mine = _session(house, ada)
        await connection.fetchval("select tenantry.enter($1, $2)", USER_ID.read(ada.user_id), mine)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"update tenantry.sessions set {change} where id = $1", mine)
    finally:
        await transaction.rollback()
        await connection.close()


async def test_what_has_ended_stays_as_it_is_even_for_sql_of_its_person(house: Installation) -> None:
    ada = await house.person()
    login = await house.client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD})
    other = house.client.signed_in(login.json)
    assert (await ada.post("/v1/auth/logout", {"scope": "others"})).status == 204
    connection: asyncpg.Connection[Any] = await asyncpg.connect(house.runtime.database.url)
    try:
        async with connection.transaction():
            await connection.execute("set local role tenantry_app")
            await connection.fetchval("select tenantry.enter($1, $2)", USER_ID.read(ada.user_id), _session(house, ada))
            revived = "update tenantry.sessions set ended_at = null, ended_why = null where id = $1"
            assert await connection.execute(revived, _session(house, other)) == "UPDATE 0"
    finally:
        await connection.close()


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=null", "order=id", "offset=1"])
async def test_a_list_refuses_what_it_cannot_be_asked(house: Installation, query: str) -> None:
    ada = await house.person()
    answer = await ada.get(f"{MINE}?{query}")
    assert (answer.status, answer.code) == (422, "invalid")
    assert answer.json["errors"][0]["at"] == f"query.{query.partition('=')[0]}"


async def test_devices_are_listed_page_by_page_and_a_strange_cursor_is_refused(house: Installation) -> None:
    ada, bob = await house.person(), await house.person()
    for person in (ada, bob):
        for _ in range(2):
            await _sign_in(house, person)
    seen, after = [], ""
    while True:
        page = (await ada.get(f"{MINE}?limit=1{after}")).json
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) == 3
    assert seen == [item["id"] for item in await _items(ada, "?limit=100")]
    theirs = (await bob.get(f"{MINE}?limit=1")).json["next"]
    for query in (f"after={theirs}", f"order=-created_at&limit=1{after}", "after=", "after=null"):
        answer = await ada.get(f"{MINE}?{query}")
        assert (answer.status, answer.code) == (400, "bad_cursor")


# signing out from afar


async def test_a_device_that_is_signed_out_is_refused_from_its_next_request_on(house: Installation) -> None:
    ada = await house.person()
    lost = await _sign_in(house, ada)
    assert (await ada.delete(f"{MINE}/{_name(house, lost)}")).status == 204
    refused = await lost.get("/v1/users/me")
    assert (refused.status, refused.code) == (401, "session_ended")
    assert (await _refresh(house, lost)).code == "refresh_refused"
    assert await _why(house, lost) == "revoked"
    assert [item["id"] for item in await _items(ada)] == [_name(house, ada)]
    assert (await ada.delete(f"{MINE}/{_name(house, lost)}")).status == 404
    ended = [event for event in await house.recorded("accounts.session_ended") if event["why"] == "revoked"]
    assert str(_session(house, lost)) in {event["session_id"] for event in ended}


async def test_the_device_that_asks_may_end_itself(house: Installation) -> None:
    ada = await house.person()
    assert (await ada.delete(f"{MINE}/{_name(house, ada)}")).status == 204
    assert (await ada.get("/v1/users/me")).status == 401


async def test_the_session_of_another_person_is_not_found_and_stays(house: Installation) -> None:
    ada, bob = await house.person(), await house.person()
    strange, never = _name(house, bob), SESSION_ID.text(SESSION_ID.new())
    answers = [await ada.delete(f"{MINE}/{name}") for name in (strange, never, "ses_x", ada.user_id)]
    assert [(answer.status, answer.code) for answer in answers] == [(404, "not_found")] * 4
    assert (await bob.get("/v1/users/me")).status == 200
    assert await _why(house, bob) is None


async def test_one_device_signed_out_ten_times_at_once_ends_once(installation: Installation) -> None:
    ada = await installation.person()
    lost = await _sign_in(installation, ada)
    name = _name(installation, lost)
    answers = await asyncio.gather(*(ada.delete(f"{MINE}/{name}") for _ in range(10)))
    assert Counter(answer.status for answer in answers) == {204: 1, 404: 9}
    assert len(await installation.recorded("accounts.session_ended")) == 1


async def test_only_a_person_may_use_the_verb_and_only_for_what_is_theirs(house: Installation) -> None:
    ada, bob = await house.person(), await house.person()
    person = Actor("person", USER_ID.read(ada.user_id), _session(house, ada))
    call = Call(house.runtime, person, "test")
    with pytest.raises(NotFound):
        async with PersonWork(call) as work:
            await actions.end_device(work, session_id=_session(house, bob))
    for verb in (actions.revoke_session, actions.remove_ended_sessions):
        given = {} if verb is actions.remove_ended_sessions else {"session_id": _session(house, bob)}
        with pytest.raises(Forbidden) as refused:
            async with PersonWork(call) as work:
                await verb(work, **given)  # type: ignore[operator]
        assert refused.value.more == {"permission": HOUSE.name}
    assert await _why(house, bob) is None


async def test_a_path_with_an_id_answers_to_its_methods_only(house: Installation) -> None:
    ada = await house.person()
    for method in ("GET", "PATCH", "POST", "PURGE"):
        answer = await ada.request(method, f"{MINE}/{_name(house, ada)}")
        assert (answer.status, answer.code, answer.headers["allow"]) == (405, "method_not_allowed", "DELETE")


# giving a token back (RFC 7009)


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_a_token_that_is_given_back_ends_its_session(house: Installation, kind: str) -> None:
    ada = await house.person()
    other = await _sign_in(house, ada)
    answer = await house.client.post("/v1/auth/revoke", {"token": other.tokens[kind], "token_type_hint": kind})
    assert (answer.status, answer.body) == (200, b"")
    assert (await other.get("/v1/users/me")).code == "session_ended"
    assert (await _refresh(house, other)).status == 401
    assert await _why(house, other) == "revoked"
    assert (await ada.get("/v1/users/me")).status == 200


async def test_an_earlier_refresh_token_ends_its_session_too(house: Installation) -> None:
    ada = await house.person()
    assert (await _refresh(house, ada)).status == 200
    answer = await house.client.post("/v1/auth/revoke", {"token": ada.tokens["refresh_token"]})
    assert (answer.status, await _why(house, ada)) == (200, "revoked")


def _altered(token: str) -> str:
    middle = len(token) // 2
    return token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]


async def test_what_is_no_token_of_ours_is_answered_alike_and_changes_nothing(house: Installation) -> None:
    ada = await house.person()
    gone = await _sign_in(house, ada)
    await gone.post("/v1/auth/logout", {})
    refresh, access = ada.tokens["refresh_token"], ada.tokens["access_token"]
    before = await row_counts(house)
    useless = ["", "x", "tnr_", _altered(refresh), _altered(access), refresh[4:], f" {refresh}", f"{access} ", "a.b.c"]
    useless += [house.runtime.refresh.issue(SESSION_ID.new(), 0), gone.tokens["refresh_token"], "ü" * 8000]
    useless += [gone.tokens["access_token"], house.runtime.one_time.issue("verify e-mail", SESSION_ID.new(), 0)]
    for token in useless:
        answer = await house.client.post("/v1/auth/revoke", {"token": token})
        assert (answer.status, answer.body) == (200, b""), token
        assert "www-authenticate" not in answer.headers
    assert await row_counts(house) == before
    assert (await ada.get("/v1/users/me")).status == 200


async def test_an_access_token_that_has_expired_revokes_nothing(travelling: Installation, clock: HandClock) -> None:
    ada = await travelling.person("ada@example.com")
    clock.advance(minutes=6)
    answer = await travelling.client.post("/v1/auth/revoke", {"token": ada.tokens["access_token"]})
    assert (answer.status, answer.body) == (200, b"")
    assert await _why(travelling, ada) is None
    assert (await _refresh(travelling, ada)).status == 200


async def test_garbage_never_reaches_the_database(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await house.person()

    async def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(type(house.runtime.database), "begin", refused)
    call = Call(house.runtime, NOBODY, "test")
    for token in (
        "",
        "x",
        "tnr_" + "A" * 55,
        _altered(ada.tokens["refresh_token"]),
        _altered(ada.tokens["access_token"]),
    ):
        await exchanges.revoke(call, token=token)
    with pytest.raises(AssertionError):
        await exchanges.revoke(call, token=ada.tokens["refresh_token"])


# a device not seen before


async def _letters(house: Installation) -> list[Mail]:
    await house.drain_jobs()
    return [mail for mail in await house.mails() if mail.subject.startswith("New sign-in")]


async def test_a_login_on_a_new_device_is_told_to_its_person_once(travelling: Installation, clock: HandClock) -> None:
    ada = await travelling.person("Ada@example.com")
    assert (await ada.patch("/v1/users/me", {"timezone": "Asia/Kolkata"})).status == 200
    clock.set(datetime.fromisoformat("2031-05-06T20:00:00+00:00"))
    body = {"email": "ada@EXAMPLE.com", "password": PASSWORD}
    headers = {"user-agent": "Evil/1.0 http://evil.example/x <b>", "x-forwarded-for": ABROAD}
    answer = await travelling.client.post("/v1/auth/login", body, headers=headers)
    assert answer.status == 200
    (mail,) = await _letters(travelling)
    assert mail.to == ada.email
    assert mail.subject == "New sign-in to Tenantry"
    for page in (mail.text, mail.html):
        assert "2031-05-07 01:30 (Asia/Kolkata)" in page
        assert ABROAD in page
        assert "evil.example" not in page
    assert "&lt;b&gt;" in mail.html
    links = set(re.findall(r"https?://[^\s\"<>)]+", mail.text))
    assert links == {f"{travelling.origin}/account/devices"}
    for token in (answer.json["access_token"], answer.json["refresh_token"]):
        assert token not in mail.text + mail.html
    assert len(await _letters(travelling)) == 1
    (event,) = await travelling.recorded("accounts.device_appeared")
    assert set(event) == {"user_id", "session_id"}
    assert ABROAD not in str(await travelling.rows("select args::text from tenantry.jobs"))


@pytest.mark.parametrize(
    ("agent", "source", "told"),
    [
        (PHONE, HOME, False),
        (PHONE, NEXT_DOOR, False),
        (PHONE, ABROAD, True),
        (LAPTOP, HOME, True),
        ("", HOME, True),
    ],
)
async def test_a_device_is_an_agent_in_a_network(
    travelling: Installation, clock: HandClock, agent: str, source: str, told: bool
) -> None:
    ada = await travelling.person("ada@example.com")
    await _sign_in(travelling, ada, agent=PHONE, source=HOME)
    assert len(await _letters(travelling)) == 1
    clock.advance(days=1)
    await _sign_in(travelling, ada, agent=agent, source=source)
    assert len(await _letters(travelling)) == 1 + told


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_a_network_is_the_24_or_the_64_of_an_address(source: str, network: str) -> None:
    assert network_of(source) == network


async def test_the_first_session_of_an_account_is_no_news(installation: Installation) -> None:
    ada = await installation.person()
    assert await _letters(installation) == []
    assert (await _refresh(installation, ada)).status == 200
    assert await _letters(installation) == []


async def test_the_first_login_of_a_person_whom_an_operator_added_is_no_news(installation: Installation) -> None:
    ada = await installation.person("ada@example.com")
    await installation.rows("delete from tenantry.sessions")
    await _sign_in(installation, ada, agent=PHONE)
    assert await _letters(installation) == []


async def test_a_login_after_all_sessions_were_removed_is_news(travelling: Installation, clock: HandClock) -> None:
    ada = await travelling.person("ada@example.com")
    clock.advance(days=200)
    await travelling.drain_jobs()
    await travelling.rows("delete from tenantry.sessions")
    await _sign_in(travelling, ada)
    assert len(await _letters(travelling)) == 1


async def test_a_device_is_forgotten_90_days_after_its_last_use(travelling: Installation, clock: HandClock) -> None:
    ada = await travelling.person("ada@example.com")
    clock.advance(days=89)
    await _sign_in(travelling, ada)
    assert await _letters(travelling) == []
    clock.advance(days=91)
    await _sign_in(travelling, ada)
    assert len(await _letters(travelling)) == 1


async def test_a_device_that_was_signed_out_is_known_as_long_as_any(travelling: Installation, clock: HandClock) -> None:
    ada = await travelling.person("ada@example.com")
    for days, told in ((89, 0), (91, 1)):
        phone = await _sign_in(travelling, ada, agent=PHONE, source=HOME)
        before = len(await _letters(travelling))
        assert (await phone.post("/v1/auth/logout", {})).status == 204
        clock.advance(days=days)
        while await _sweep(travelling):
            pass
        phone = await _sign_in(travelling, ada, agent=PHONE, source=HOME)
        assert len(await _letters(travelling)) - before == told


async def test_a_new_device_is_told_of_though_it_was_signed_out_at_once(installation: Installation) -> None:
    ada = await installation.person("ada@example.com")
    stranger = await _sign_in(installation, ada, agent=PHONE)
    await stranger.post("/v1/auth/logout", {"scope": "all"})
    assert len(await _letters(installation)) == 1


async def test_a_new_device_of_an_account_that_is_gone_is_told_to_nobody(installation: Installation) -> None:
    ada = await installation.person("ada@example.com")
    await _sign_in(installation, ada, agent=PHONE)
    await installation.rows("delete from tenantry.users")
    assert await _letters(installation) == []
    assert await installation.rows("select kind from tenantry.jobs where error is not null") == []


# too many


async def _live(house: Installation, person: Client) -> int:
    return len(await _items(person, "?limit=100"))


async def test_a_login_beyond_fifty_ends_the_session_used_longest_ago(
    travelling: Installation, clock: HandClock
) -> None:
    first = await travelling.person("ada@example.com")
    second = await _sign_in(travelling, first)
    for _ in range(models.MOST_SESSIONS - 2):
        clock.advance(seconds=1)
        await _sign_in(travelling, first)
    clock.advance(seconds=1)
    refreshed = await _refresh(travelling, first)
    assert refreshed.status == 200
    assert await _live(travelling, second) == models.MOST_SESSIONS
    last = await _sign_in(travelling, first)
    assert await _live(travelling, last) == models.MOST_SESSIONS
    assert (await second.get("/v1/users/me")).code == "session_ended"
    assert (await travelling.client.signed_in(refreshed.json).get("/v1/users/me")).status == 200
    (ended,) = await travelling.recorded("accounts.session_ended")
    assert (ended["session_id"], ended["why"]) == (str(_session(travelling, second)), "too_many")


async def test_the_session_that_was_just_started_is_never_the_one_that_ends(
    travelling: Installation, clock: HandClock
) -> None:
    ada = await travelling.person("ada@example.com")
    await _crowd(travelling, ada, models.MOST_SESSIONS + 10)
    # all the others were used later, as where a login had to wait for its turn
    clock.advance(hours=-1)
    last = await _sign_in(travelling, ada)
    assert (await last.get("/v1/users/me")).status == 200
    assert await _live(travelling, last) == models.MOST_SESSIONS


async def _crowd(house: Installation, person: Client, count: int) -> None:
    await house.rows(
        "insert into tenantry.sessions (id, user_id, rotated_at, expires_at, source, network, agent)"
        " select gen_random_uuid(), $1, least(max(rotated_at)), max(expires_at), '', '', ''"
        "   from tenantry.sessions cross join generate_series(1, $2) as number"
        "  where user_id = $1 group by number",
        USER_ID.read(person.user_id),
        count,
    )


async def test_twenty_logins_at_once_leave_no_more_than_fifty_sessions(installation: Installation) -> None:
    ada = await installation.person("ada@example.com")
    await _crowd(installation, ada, models.MOST_SESSIONS - 2)
    await asyncio.gather(*(_start(installation, ada) for _ in range(20)))
    assert len(await installation.rows("select from tenantry.sessions where ended_at is null")) == models.MOST_SESSIONS
    assert len(await installation.rows("select from tenantry.sessions where ended_why = 'too_many'")) == 19
    last = await _sign_in(installation, ada)
    assert (await last.get("/v1/users/me")).status == 200


async def _start(house: Installation, person: Client) -> None:
    """As much of a login as comes after the password was found right."""
    user_id = USER_ID.read(person.user_id)
    assert user_id is not None
    async with SystemWork(Call(house.runtime, NOBODY, "test"), reason="a test") as work:
        await actions.start_session(work, user_id=user_id)


async def test_logins_and_signing_out_everywhere_at_once_wait_in_no_ring(installation: Installation) -> None:
    ada = await installation.person("ada@example.com")
    known = [await _sign_in(installation, ada) for _ in range(4)]
    await _crowd(installation, ada, models.MOST_SESSIONS)
    leaving = [one.post("/v1/auth/logout", {"scope": "all"}) for one in known]
    answers, *_ = await asyncio.gather(asyncio.gather(*leaving), *(_start(installation, ada) for _ in range(6)))
    assert {answer.status for answer in answers} <= {204, 401}


# what is kept


async def test_an_ended_session_is_removed_after_ninety_days(travelling: Installation, clock: HandClock) -> None:
    ada = await travelling.person("ada@example.com")
    await ada.post("/v1/auth/logout", {})
    clock.advance(days=89)
    await _sweep(travelling)
    assert await _why(travelling, ada) == "logout"
    clock.advance(days=2)
    await _sweep(travelling)
    assert await travelling.rows("select from tenantry.sessions") == []


async def _sweep(house: Installation) -> bool:
    async with SystemWork(Call(house.runtime, NOBODY, "test"), reason="a test") as work:
        return await actions.remove_ended_sessions(work)


async def test_an_expired_session_is_removed_and_a_live_one_stays(travelling: Installation, clock: HandClock) -> None:
    ada = await travelling.person("ada@example.com")
    clock.advance(days=179)
    later = await _sign_in(travelling, ada)
    await _sweep(travelling)
    assert len(await travelling.rows("select from tenantry.sessions")) == 2
    clock.advance(days=2)
    await _sweep(travelling)
    assert [item["id"] for item in await _items(await _sign_in(travelling, ada))][1:] == [_name(travelling, later)]
    assert len(await travelling.rows("select from tenantry.sessions")) == 2


async def test_the_removal_is_a_schedule_that_takes_some_at_a_time(
    travelling: Installation, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "REMOVED_AT_ONCE", 3)
    monkeypatch.setattr(jobs.devices, "BATCHES", 2)
    ada = await travelling.person("ada@example.com")
    await _crowd(travelling, ada, 9)
    await ada.post("/v1/auth/logout", {"scope": "all"})
    clock.advance(days=91)
    (handler,) = [one for one in travelling.registry.handlers if one.kind == "accounts.remove_ended_sessions"]
    assert handler.schedule is not None
    left = []
    for _ in range(3):
        await handler.function(_Job(travelling))
        left.append(len(await travelling.rows("select from tenantry.sessions")))
    assert left == [4, 0, 0]


class _Job:
    """As much of a job as the removal looks at."""

    def __init__(self, house: Installation) -> None:
        self.call = Call(house.runtime, Actor("job"), "test")


async def test_a_token_of_a_session_that_was_removed_stays_refused(travelling: Installation, clock: HandClock) -> None:
    ada = await travelling.person("ada@example.com")
    newest = (await _refresh(travelling, ada)).json
    clock.advance(seconds=11)
    assert (await _refresh(travelling, ada)).code == "refresh_reused"
    assert await _why(travelling, ada) == "reuse"
    clock.advance(days=91)
    await _sweep(travelling)
    assert await travelling.rows("select from tenantry.sessions") == []
    for device in (ada, travelling.client.signed_in(newest)):
        assert (await _refresh(travelling, device)).code == "refresh_refused"
