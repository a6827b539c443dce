"""Closing an account while something dies, and opening it again: with all its ends, or nothing of them."""

from __future__ import annotations

import pytest

from tenantry.testing import Client, Response
from tenantry.testing.installation import PASSWORD

from .app import Stage, new_address
from .conftest import Chosen
from .crash_points import cut
from .flow import Flow, hold

CLOSURE = "/v1/users/me/closure"
BODY = {"password": PASSWORD}


class Closing(Flow[Client]):
    """Closing an account that is signed in to on two devices and was mailed a link."""

    parts = frozenset(
        {"+ closed accounts", "+ ended sessions", "- resets", "+ jobs"}
        | {"+ event accounts.session_ended", "+ event accounts.user_closed"}
    )

    async def subject(self) -> Client:
        behind = self.stage.behind
        person = await behind.person(new_address())
        await behind.client.post("/v1/auth/login", {"email": person.email} | BODY)
        await behind.client.post("/v1/auth/forgot-password", {"email": person.email})
        await behind.drain_jobs()
        return person

    async def request(self, subject: Client) -> Response:
        return await self.stage.client.signed_in(subject.tokens).post(CLOSURE, BODY)

    async def again(self, subject: Client, answer: Response | None) -> None:
        retried = await self.request(subject)
        acknowledged = answer is not None and answer.status == 200
        assert retried.status in ({403} if acknowledged else {200, 403})
        seen = await self.stage.client.signed_in(subject.tokens).get("/v1/users/me")
        assert (seen.status, seen.json["closes_at"] is None) == (200, False)


class Reopening(Flow[Client]):
    """Opening a closed account again."""

    parts = frozenset({"- closed accounts", "+ event accounts.user_reopened", "+ jobs"})

    async def subject(self) -> Client:
        person = await self.stage.behind.person(new_address())
        assert (await person.post(CLOSURE, BODY)).status == 200
        await self.stage.behind.drain_jobs()
        return person

    async def request(self, subject: Client) -> Response:
        return await self.stage.client.signed_in(subject.tokens).delete(CLOSURE, body=BODY)

    async def again(self, subject: Client, answer: Response | None) -> None:
        retried = await self.request(subject)
        acknowledged = answer is not None and answer.status == 200
        assert retried.status in ({409} if acknowledged else {200, 409})
        seen = await self.stage.client.signed_in(subject.tokens).get("/v1/users/me")
        assert (seen.status, seen.json["closes_at"]) == (200, None)


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("flow", [Closing, Reopening])
async def test_an_account_is_closed_or_opened_whole_wherever_the_app_is_killed(
    stage: Stage, chosen: Chosen, flow: type[Flow[Client]]
) -> None:
    await hold(flow(stage), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_closing_survives_the_loss_of_its_database_connections(stage: Stage, chosen: Chosen) -> None:
    await hold(Closing(stage, cut), chosen)
