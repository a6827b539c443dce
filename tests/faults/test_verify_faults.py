"""Proving an address while something dies: a person and their session, or a link that still works; never neither."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tenantry.testing import Response
from tenantry.testing.installation import PASSWORD

from .app import Stage, new_address
from .conftest import Chosen, Mortal
from .crash_points import Victim, cut
from .flow import Flow, hold


@dataclass(frozen=True)
class Pending:
    """A registration whose mail has arrived."""

    email: str
    token: str
    registration: str


class Verifying(Flow[Pending]):
    """Proving an address with the mailed token and the registration, or with its password."""

    parts = frozenset(
        {"+ users", "+ credentials", "+ sessions", "- registrations"}
        | {"+ event accounts.user_joined", "+ event accounts.session_started"}
    )

    def __init__(self, stage: Stage, victim: Victim | None = None, *, by_password: bool = False) -> None:
        super().__init__(stage, victim)
        self._by_password = by_password

    async def subject(self) -> Pending:
        email, behind = new_address(), self.stage.behind
        registration = await behind.register(email)
        return Pending(email, await behind.mailed_token(email), registration)

    async def request(self, subject: Pending) -> Response:
        proof = {"password": PASSWORD} if self._by_password else {"registration": subject.registration}
        return await self.stage.client.post("/v1/auth/verify-email", {"token": subject.token} | proof)

    async def again(self, subject: Pending, answer: Response | None) -> None:
        retried = await self.request(subject)
        acknowledged = answer is not None and answer.status == 200
        assert retried.status in ({410} if acknowledged else {200, 410})
        body = {"email": subject.email, "password": PASSWORD}
        login = await self.stage.client.post("/v1/auth/login", body)
        assert login.status == 200
        for signed_in in (given for given in (answer, retried, login) if given and given.status == 200):
            me = await self.stage.client.signed_in(signed_in.json).get("/v1/users/me")
            assert (me.status, me.json["id"]) == (200, login.json["user"]["id"])
        assert (await self.request(subject)).status == 410


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("by_password", [False, True], ids=["by registration", "by password"])
async def test_an_address_is_proven_or_its_link_still_works_wherever_the_app_is_killed(
    stage: Stage, chosen: Chosen, by_password: bool
) -> None:
    await hold(Verifying(stage, by_password=by_password), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_an_address_is_proven_or_its_link_still_works_wherever_the_connection_is_cut(
    stage: Stage, chosen: Chosen
) -> None:
    await hold(Verifying(stage, cut), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_an_address_is_proven_or_its_link_still_works_wherever_the_database_is_killed(
    mortal_stage: Stage, mortal: Mortal, chosen: Chosen
) -> None:
    await hold(Verifying(mortal_stage, mortal.kill), chosen)
