"""Operators sign in with credentials of their own, which open nothing else, and end at the very next request."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from commands import run
from tenantry.accounts.inputs import LOGIN
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Databases, Installation, installed
from tenantry.testing.installation import PASSWORD

ME = "/v1/admin/operators/me"
COOKIE = "tenantry-operator"


async def _login(house: Installation, email: str, password: str = PASSWORD) -> Any:
    return await house.client.post("/v1/admin/auth/login", {"email": email, "password": password})


def _id(person: Client) -> Any:
    return USER_ID.read(person.user_id)


async def _aged(house: Installation, operator: Client, column: str, age: str) -> None:
    await house.rows(
        f"update tenantry.operator_sessions set {column} = tenantry.now() - interval '{age}'"
        " where user_id = $1 returning id",
        _id(operator),
    )


async def _cookie(house: Installation, operator: Client) -> dict[str, str]:
    [[session]] = await house.rows("select id from tenantry.operator_sessions where user_id = $1", _id(operator))
    return {"cookie": f"{COOKIE}={house.runtime.operators_visits.issue(_id(operator), session)}"}


async def test_an_operator_signs_in_and_out(house: Installation) -> None:
    operator = await house.operator("support")
    assert operator.tokens["token_type"] == "Bearer"
    assert 11.4 * 3600 <= operator.tokens["expires_in"] <= 12 * 3600
    me = await operator.get(ME)
    assert (me.status, me.json["role"], me.json["email"]) == (200, "support", operator.email)
    assert (await operator.post("/v1/admin/auth/logout")).status == 204
    assert (await operator.get(ME)).code == "session_ended"
    await house.assert_recorded("admin.operator_signed_in", user_id=str(_id(operator)))
    await house.assert_recorded("admin.operator_signed_out", user_id=str(_id(operator)))


async def test_whoever_is_no_operator_is_answered_as_for_a_wrong_password(house: Installation) -> None:
    person, operator = await house.person(), await house.operator()
    answers = [
        await _login(house, person.email),
        await _login(house, person.email, "wrong"),
        await _login(house, operator.email, "wrong"),
        await _login(house, "nobody@example.com"),
    ]
    told = [{**answer.json, "request_id": ""} for answer in answers]
    assert told[0]["code"] == "invalid_credentials"
    assert told == [told[0]] * 4
    refused = await house.recorded("accounts.login_refused")
    assert len([one for one in refused if one["user_id"] == str(_id(person))]) == 2


async def test_passwords_that_are_tried_at_operators_count_as_at_any_login(house: Installation) -> None:
    operator = await house.operator()
    codes = [(await _login(house, operator.email, "wrong")).code for _ in range(6)]
    assert codes == ["invalid_credentials"] * 5 + ["too_many_guesses"]
    body = {"email": operator.email, "password": PASSWORD}
    assert (await house.client.post("/v1/auth/login", body)).code == "too_many_guesses"


async def test_a_right_password_of_somebody_who_is_no_operator_counts_too(house: Installation) -> None:
    person = await house.person()
    codes = [(await _login(house, person.email)).code for _ in range(6)]
    assert codes == ["invalid_credentials"] * 5 + ["too_many_guesses"]


async def test_logins_of_operators_are_limited_as_those_of_people(
    databases: Databases, registry: Registry, tmp_path: Any
) -> None:
    environ = {"TENANTRY_TRUSTED_PROXIES": "127.0.0.0/8", "TENANTRY_RATE_LIMITS": "on"}
    async with (
        databases.fresh() as url,
        installed(url, tmp_path, registry=registry, environ=environ) as behind,
    ):
        elsewhere = {"x-forwarded-for": "203.0.113.9"}
        body = {"email": "nobody@example.com", "password": "wrong"}
        codes = [
            (await behind.client.post("/v1/admin/auth/login", body, headers=elsewhere)).code
            for _ in range(LOGIN.times + 1)
        ]
        assert codes[-1] == "rate_limited"


async def test_every_operation_of_operators_refuses_a_persons_token(house: Installation, registry: Registry) -> None:
    operator = await house.operator()
    person = await house.person(operator.email.replace("person", "other"))
    body = {"email": operator.email, "password": PASSWORD}
    same = house.client.signed_in((await house.client.post("/v1/auth/login", body)).json)
    asked = [route for route in registry.routes if route.path.startswith("/v1/admin/") and not route.public]
    assert len(asked) > 10
    for route in asked:
        assert route.of_operators, route.path
        path = route.path.format_map({name: kind.text(kind.new()) for name, kind in route.ids.items()})
        for who in (person, same):
            answer = await who.request(route.method, path, body=route.example)
            assert answer.status == 401, (route.method, route.path, answer)


async def test_no_other_operation_knows_an_operators_token_or_cookie(house: Installation, registry: Registry) -> None:
    operator = await house.operator()
    cookie = await _cookie(house, operator)
    assert (await house.client.get(ME, headers=cookie)).status == 200
    stolen = {"cookie": cookie["cookie"].replace(COOKIE, "tenantry")}
    asked = [route for route in registry.routes if not (route.of_operators or route.public)]
    for route in asked:
        path = route.path.format_map({name: kind.text(kind.new()) for name, kind in route.ids.items()})
        headers = {"if-match": "*", "origin": house.origin}
        answers = [
            await operator.request(route.method, path, body=route.example, headers=headers),
            await house.client.request(route.method, path, body=route.example, headers=headers | cookie),
            await house.client.request(route.method, path, body=route.example, headers=headers | stolen),
        ]
        assert [answer.status for answer in answers] == [401] * 3, (route.method, route.path, answers)


async def test_a_persons_cookie_under_the_operators_name_opens_nothing(house: Installation) -> None:
    operator = await house.operator()
    [[session]] = await house.rows("select id from tenantry.operator_sessions where user_id = $1", _id(operator))
    forged = {"cookie": f"{COOKIE}={house.runtime.visits.issue(_id(operator), session)}"}
    assert (await house.client.get(ME, headers=forged)).status == 401


@pytest.mark.parametrize(
    ("column", "lives", "over"),
    [("last_used_at", "59 minutes", "61 minutes"), ("created_at", "11 hours 59 minutes", "12 hours 1 minute")],
)
async def test_a_session_ends_unused_and_by_itself(house: Installation, column: str, lives: str, over: str) -> None:
    operator = await house.operator()
    # a password is older than the session that it opened
    await house.rows(
        "update tenantry.credentials set changed_at = changed_at - interval '1 day'"
        " where user_id = $1 returning user_id",
        _id(operator),
    )
    await _aged(house, operator, column, lives)
    assert (await operator.get(ME)).status == 200
    await _aged(house, operator, column, over)
    assert (await operator.get(ME)).code == "session_ended"


async def test_using_a_session_keeps_it(house: Installation) -> None:
    operator = await house.operator()
    await _aged(house, operator, "last_used_at", "59 minutes")
    await operator.get(ME)
    [[recent]] = await house.rows(
        "select last_used_at > tenantry.now() - interval '1 minute' from tenantry.operator_sessions where user_id = $1",
        _id(operator),
    )
    assert recent


async def test_a_disabled_or_closed_operator_is_out_at_once_and_cannot_come_in(house: Installation) -> None:
    closed, boss = await house.person(), await house.operator()
    for person in (closed, await house.person()):
        operator = await house.operator("support", person=person)
        if person is closed:
            assert (await person.post("/v1/users/me/closure", {"password": PASSWORD})).status == 200
        else:
            path = f"/v1/admin/users/{person.user_id}/disabling"
            assert (await boss.post(path, {"why": "left the company"})).status == 200
        assert (await operator.get(ME)).code == "session_ended"
        assert (await _login(house, operator.email)).code == "invalid_credentials"


async def test_a_new_password_signs_an_operator_out(house: Installation) -> None:
    person = await house.person()
    operator = await house.operator(person=person)
    new = "seven lanterns over the harbour"
    body = {"password": PASSWORD, "new_password": new}
    assert (await person.post("/v1/users/me/password", body)).status == 204
    assert (await operator.get(ME)).code == "session_ended"
    assert (await _login(house, person.email, new)).status == 200


async def test_an_operator_has_no_more_than_ten_sessions(house: Installation) -> None:
    first = await house.operator()
    for _ in range(10):
        assert (await _login(house, first.email)).status == 200
    assert (await first.get(ME)).code == "session_ended"


async def test_the_cookie_changes_nothing_for_another_site(house: Installation) -> None:
    operator, person = await house.operator(), await house.person()
    cookie, path = await _cookie(house, operator), f"/v1/admin/users/{person.user_id}/sessions"
    for foreign in ({}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert (await house.client.delete(path, headers=cookie | foreign)).code == "cross_site", foreign
    assert (await person.get("/v1/users/me")).status == 200
    assert (await house.client.delete(path, headers=cookie | {"origin": house.origin})).status == 204
    assert (await person.get("/v1/users/me")).status == 401


async def test_a_dead_session_takes_the_operators_cookie_and_no_other(house: Installation) -> None:
    operator = await house.operator()
    cookie = await _cookie(house, operator)
    await operator.post("/v1/admin/auth/logout")
    answer = await house.client.get(ME, headers=cookie)
    assert answer.code == "session_ended"
    assert answer.headers["set-cookie"].startswith(f"{COOKIE}=; Max-Age=0;")


async def test_a_cookie_in_use_is_renewed_and_an_old_one_is_none(clocked: Installation, clock: Any) -> None:
    operator = await clocked.operator()
    cookie = await _cookie(clocked, operator)
    assert "set-cookie" not in (await clocked.client.get(ME, headers=cookie)).headers
    clock.advance(minutes=6)
    given = (await clocked.client.get(ME, headers=cookie)).headers["set-cookie"]
    assert given.startswith(f"{COOKIE}=")
    assert "Max-Age=3600; Path=/; HttpOnly; SameSite=Lax" in given
    clock.advance(minutes=55)
    # the session lives, and the cookie of an hour ago is none
    assert (await clocked.client.get(ME, headers=cookie)).code == "unauthenticated"
    assert (await clocked.client.get(ME, headers={"cookie": given.partition(";")[0]})).status == 200


async def test_an_api_key_is_no_operators_credential(house: Installation) -> None:
    team = await house.team()
    made = await team.owner.post(f"{team.path}/api-keys", {"name": "k", "scopes": ["members:read"]})
    answer = await house.client.get(ME, headers={"authorization": f"Bearer {made.json['secret']}"})
    assert answer.code == "not_by_api_key"


@pytest.mark.parametrize("whose", ["--user", "--all"])
async def test_whoever_is_signed_out_of_every_device_is_signed_out_as_an_operator_too(
    installation: Installation, whose: str
) -> None:
    operator, other = await installation.operator(), await installation.operator("viewer")
    words = ["--user", operator.email] if whose == "--user" else ["--all"]
    done = await run([sys.executable, "-m", "tenantry", "tokens", "revoke", *words], installation)
    assert done.returncode == 0, done.stderr
    assert (await operator.get(ME)).code == "session_ended"
    assert (await other.get(ME)).status == (200 if whose == "--user" else 401)
    await installation.assert_recorded("admin.operator_signed_out", user_id=str(_id(operator)))
