"""Recovering an account while something dies: the new password or address with all its ends, or nothing of them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tenantry.testing import Client, Response
from tenantry.testing.installation import PASSWORD

from .app import Stage, new_address
from .conftest import Chosen
from .crash_points import cut
from .flow import Flow, hold

NEW = "seven lanterns over the harbour"


@dataclass(frozen=True)
class Linked:
    """A person who was mailed a link."""

    person: Client
    token: str
    address: str


class Resetting(Flow[Linked]):
    """Setting a new password with a mailed link."""

    parts = frozenset(
        {"- resets", "+ strong hashes", "+ ended sessions", "+ jobs"}
        | {"+ event accounts.session_ended", "+ event accounts.password_changed"}
    )

    async def subject(self) -> Linked:
        behind, email = self.stage.behind, new_address()
        person = await behind.person(email)
        await behind.client.post("/v1/auth/forgot-password", {"email": email})
        return Linked(person, await behind.mailed_token(email), email)

    async def request(self, subject: Linked) -> Response:
        return await self.stage.client.post("/v1/auth/reset-password", {"token": subject.token, "password": NEW})

    async def again(self, subject: Linked, answer: Response | None) -> None:
        retried = await self.request(subject)
        acknowledged = answer is not None and answer.status == 200
        assert retried.status in ({410} if acknowledged else {200, 410})
        assert (await self.stage.client.signed_in(subject.person.tokens).get("/v1/users/me")).status == 401
        assert await _login(self.stage, subject.address, PASSWORD) == 401
        assert await _login(self.stage, subject.address, NEW) == 200


class ChangingPassword(Flow[Client]):
    """Setting a new password while signed in on two devices."""

    success = 204
    parts = frozenset(
        {"+ strong hashes", "+ ended sessions", "+ jobs"}
        | {"+ event accounts.session_ended", "+ event accounts.password_changed"}
    )

    async def subject(self) -> Client:
        person = await self.stage.behind.person(new_address())
        await self.stage.behind.client.post("/v1/auth/login", {"email": person.email, "password": PASSWORD})
        return person

    async def request(self, subject: Client) -> Response:
        device = self.stage.client.signed_in(subject.tokens)
        return await device.post("/v1/users/me/password", {"password": PASSWORD, "new_password": NEW})

    async def again(self, subject: Client, answer: Response | None) -> None:
        retried = await self.request(subject)
        acknowledged = answer is not None and answer.status == 204
        assert retried.status in ({401} if acknowledged else {204, 401})
        assert (await self.stage.client.signed_in(subject.tokens).get("/v1/users/me")).status == 200
        assert await _login(self.stage, subject.email, NEW) == 200


class ChangingAddress(Flow[Linked]):
    """Confirming a new address with the link that was mailed to it."""

    parts = frozenset({"- pending addresses", "+ event accounts.address_changed", "+ jobs"})

    async def subject(self) -> Linked:
        behind, address = self.stage.behind, new_address()
        person = await behind.person(new_address())
        await person.post("/v1/users/me/email", {"email": address})
        return Linked(person, await behind.mailed_token(address), address)

    async def request(self, subject: Linked) -> Response:
        device = self.stage.client.signed_in(subject.person.tokens)
        return await device.post("/v1/users/me/email/confirmation", {"token": subject.token})

    async def again(self, subject: Linked, answer: Response | None) -> None:
        retried = await self.request(subject)
        acknowledged = answer is not None and answer.status == 200
        assert retried.status in ({410} if acknowledged else {200, 410})
        assert await _login(self.stage, subject.address, PASSWORD) == 200
        assert await _login(self.stage, subject.person.email, PASSWORD) == 401


async def _login(stage: Stage, email: str, password: str) -> int:
    return (await stage.client.post("/v1/auth/login", {"email": email, "password": password})).status


FLOWS = pytest.mark.parametrize("flow", [Resetting, ChangingPassword, ChangingAddress])


@FLOWS
@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_recovery_is_whole_or_absent_wherever_the_app_is_killed(
    stage: Stage, chosen: Chosen, flow: type[Flow[object]]
) -> None:
    await hold(flow(stage), chosen)


@FLOWS
@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_recovery_is_whole_or_absent_wherever_its_connection_is_cut(
    stage: Stage, chosen: Chosen, flow: type[Flow[object]]
) -> None:
    await hold(flow(stage, cut), chosen)
