"""Signing in and staying so: a session, its event and the stronger hash, or nothing; a stolen token stays refused."""

from __future__ import annotations

from faults.app import Stage
from faults.flow import Flow, Told
from tenantry.testing import Client, Response
from tenantry.testing.installation import PASSWORD

from .people import seen, somebody

REFRESH = "/v1/auth/refresh"
LIVE = "select count(*) from tenantry.sessions where ended_at is null and user_id in " + (
    "(select id from tenantry.users where email = $1)"
)


async def _login(stage: Stage, person: Client) -> Response:
    return await stage.client.post("/v1/auth/login", {"email": person.email, "password": PASSWORD})


async def _is_signed_in_on_every_device(told: Told[Client]) -> None:
    for signed_in in told.given():
        device = told.stage.client.signed_in(signed_in.json)
        assert (await device.get("/v1/users/me")).json["id"] == told.subject.user_id
    # the device that was signed in before, behind the scenes, still is
    assert await seen(told.stage.client, told.subject) == 200


async def _login_in_vain(stage: Stage, person: Client) -> Response:
    return await stage.client.post("/v1/auth/login", {"email": person.email, "password": "not the one"})


async def _is_refused(told: Told[Client]) -> None:
    assert told.retried.code == "invalid_credentials"


async def _show(stage: Stage, token: str) -> Response:
    return await stage.client.post(REFRESH, {"refresh_token": token})


async def _refresh(stage: Stage, person: Client) -> Response:
    return await _show(stage, person.tokens["refresh_token"])


async def _has_one_session_that_goes_on(told: Told[Client]) -> None:
    stage, retried = told.stage, told.retried
    if told.first is not None and told.first.status == 200:
        assert told.first.json["refresh_token"] == retried.json["refresh_token"]
    assert (await stage.client.signed_in(retried.json).get("/v1/users/me")).status == 200
    assert (await _show(stage, retried.json["refresh_token"])).status == 200
    assert await stage.value(LIVE, told.subject.email) == 1


async def _refreshed_twice(stage: Stage) -> list[str]:
    tokens = [str((await somebody(stage)).tokens["refresh_token"])]
    for _ in range(2):
        answer = await stage.behind.client.post(REFRESH, {"refresh_token": tokens[-1]})
        tokens.append(str(answer.json["refresh_token"]))
    return tokens


async def _replay(stage: Stage, tokens: list[str]) -> Response:
    return await _show(stage, tokens[0])


async def _has_no_session_left(told: Told[list[str]]) -> None:
    assert (await _show(told.stage, told.subject[-1])).status == 401


SIGNING_IN = (
    # the stored hash is older than today's parameters
    Flow(
        "a login",
        ("+ sessions", "+ strong hashes", "+ event accounts.session_started", "+ event accounts.password_rehashed"),
        somebody,
        _login,
        _is_signed_in_on_every_device,
    ),
    # it is written down, and that is all it does
    Flow("a refused login", ("+ event accounts.login_refused",), somebody, _login_in_vain, _is_refused, success=401),
    Flow(
        "a refresh",
        ("+ turns", "+ event accounts.session_refreshed"),
        somebody,
        _refresh,
        _has_one_session_that_goes_on,
    ),
    # a token that was used long ago: its session ends, and that is committed although refused
    Flow(
        "a replay",
        ("+ ended sessions", "+ event accounts.session_ended"),
        _refreshed_twice,
        _replay,
        _has_no_session_left,
        success=401,
    ),
)
