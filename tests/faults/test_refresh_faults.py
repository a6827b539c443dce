"""Refreshing while something dies: the old token gets the lost answer again, and a stolen one stays refused."""

from __future__ import annotations

from typing import Any

import pytest

from tenantry.testing import Client, Response

from .app import Stage, new_address
from .conftest import Chosen, Mortal
from .crash_points import cut
from .flow import Flow, hold

REFRESH = "/v1/auth/refresh"
LIVE = "select count(*) from tenantry.sessions where ended_at is null and user_id in " + (
    "(select id from tenantry.users where email = $1)"
)


class Refreshing(Flow[Client]):
    """Exchanging the newest refresh token of a device."""

    parts = frozenset({"+ turns", "+ event accounts.session_refreshed"})

    async def subject(self) -> Client:
        return await self.stage.behind.person(new_address())

    async def request(self, subject: Client) -> Response:
        return await self.stage.client.post(REFRESH, {"refresh_token": subject.tokens["refresh_token"]})

    async def again(self, subject: Client, answer: Response | None) -> None:
        retried = await self.request(subject)
        assert retried.status == 200, retried.code
        if answer is not None and answer.status == 200:
            assert answer.json["refresh_token"] == retried.json["refresh_token"]
        device = self.stage.client.signed_in(retried.json)
        assert (await device.get("/v1/users/me")).status == 200
        followed = await self.stage.client.post(REFRESH, {"refresh_token": retried.json["refresh_token"]})
        assert followed.status == 200
        assert await self.stage.value(LIVE, subject.email) == 1


class Replaying(Flow[list[str]]):
    """Showing a refresh token that was used long ago: its session ends, and that is committed although refused."""

    success = 401
    parts = frozenset({"+ ended sessions", "+ event accounts.session_ended"})

    async def subject(self) -> list[str]:
        person = await self.stage.behind.person(new_address())
        tokens = [str(person.tokens["refresh_token"])]
        for _ in range(2):
            answer = await self.stage.behind.client.post(REFRESH, {"refresh_token": tokens[-1]})
            tokens.append(str(answer.json["refresh_token"]))
        return tokens

    async def request(self, subject: list[str]) -> Response:
        return await self._shown(subject[0])

    async def again(self, subject: list[str], answer: Response | None) -> None:
        replayed, newest = await self.request(subject), await self._shown(subject[-1])
        assert (replayed.status, newest.status) == (401, 401)

    async def _shown(self, token: str) -> Response:
        return await self.stage.client.post(REFRESH, {"refresh_token": token})


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [Refreshing, Replaying])
async def test_a_refresh_is_given_again_and_a_replay_refused_wherever_the_app_is_killed(
    stage: Stage, chosen: Chosen, kind: type[Flow[Any]]
) -> None:
    await hold(kind(stage), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [Refreshing, Replaying])
async def test_a_refresh_is_given_again_and_a_replay_refused_wherever_the_connection_is_cut(
    stage: Stage, chosen: Chosen, kind: type[Flow[Any]]
) -> None:
    await hold(kind(stage, cut), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [Refreshing, Replaying])
async def test_a_refresh_is_given_again_and_a_replay_refused_wherever_the_database_is_killed(
    mortal_stage: Stage, mortal: Mortal, chosen: Chosen, kind: type[Flow[Any]]
) -> None:
    await hold(kind(mortal_stage, mortal.kill), chosen)
