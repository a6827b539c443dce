"""Signing in while something dies: a session with its event and the stronger hash, or nothing of them."""

from __future__ import annotations

import pytest

from tenantry.testing import Client, Response
from tenantry.testing.installation import PASSWORD

from .app import Stage, new_address
from .conftest import Chosen, Mortal
from .crash_points import cut
from .flow import Flow, hold


class LoggingIn(Flow[Client]):
    """Signing in with a password whose stored hash is older than today's parameters."""

    parts = frozenset(
        {"+ sessions", "+ strong hashes"} | {"+ event accounts.session_started", "+ event accounts.password_rehashed"}
    )

    async def subject(self) -> Client:
        return await self.stage.behind.person(new_address())

    async def request(self, subject: Client) -> Response:
        body = {"email": subject.email, "password": PASSWORD}
        return await self.stage.client.post("/v1/auth/login", body)

    async def again(self, subject: Client, answer: Response | None) -> None:
        retried = await self.request(subject)
        for signed_in in (given for given in (answer, retried) if given and given.status == 200):
            device = self.stage.client.signed_in(signed_in.json)
            assert (await device.get("/v1/users/me")).json["id"] == subject.user_id
        assert retried.status == 200
        # the device that was signed in before, behind the scenes, still is
        assert (await self.stage.client.signed_in(subject.tokens).get("/v1/users/me")).status == 200


class RefusedLogin(Flow[Client]):
    """A wrong password: the refusal is written down, and that is all it does."""

    success = 401
    parts = frozenset({"+ event accounts.login_refused"})

    async def subject(self) -> Client:
        return await self.stage.behind.person(new_address())

    async def request(self, subject: Client) -> Response:
        return await self.stage.client.post("/v1/auth/login", {"email": subject.email, "password": "not the one"})

    async def again(self, subject: Client, answer: Response | None) -> None:
        retried = await self.request(subject)
        assert (retried.status, retried.code) == (401, "invalid_credentials")


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_login_is_whole_or_absent_wherever_the_app_is_killed(stage: Stage, chosen: Chosen) -> None:
    await hold(LoggingIn(stage), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_refused_login_is_written_down_or_not_answered_wherever_the_app_is_killed(
    stage: Stage, chosen: Chosen
) -> None:
    await hold(RefusedLogin(stage), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_login_is_whole_or_absent_wherever_its_connection_is_cut(stage: Stage, chosen: Chosen) -> None:
    await hold(LoggingIn(stage, cut), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_login_is_whole_or_absent_wherever_the_database_is_killed(
    mortal_stage: Stage, mortal: Mortal, chosen: Chosen
) -> None:
    await hold(LoggingIn(mortal_stage, mortal.kill), chosen)
