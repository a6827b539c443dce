"""Registering while something dies: the row, its event and the job that mails are there together or not at all."""

from __future__ import annotations

import re

import pytest

from tenantry.testing import Response
from tenantry.testing.installation import PASSWORD

from .app import Stage, new_address
from .conftest import Chosen, Mortal
from .crash_points import Point, Side, cut, enumerate_points, visit
from .flow import Flow, hold

TOKEN = re.compile(r"[?&]token=([A-Za-z0-9._-]+)")


class Registering(Flow[str]):
    """Asking to join with an address that nobody has."""

    success = 202
    parts = frozenset({"+ registrations", "+ event accounts.registration_asked", "+ jobs"})

    async def subject(self) -> str:
        return new_address()

    async def request(self, subject: str) -> Response:
        body = {"email": subject, "password": PASSWORD, "name": "Ada Lovelace"}
        return await self.stage.client.post("/v1/auth/register", body)

    async def again(self, subject: str, answer: Response | None) -> None:
        retried = await self.request(subject)
        assert retried.status == 202
        await self.stage.behind.drain_jobs()
        tokens = await self._mailed(subject)
        pending = await self.stage.value("select count(*) from tenantry.registrations where email = $1", subject)
        assert len(tokens) == pending
        statuses = [await self._verified(token, retried.json["registration"]) for token in tokens]
        assert statuses.count(200) == 1
        if answer is not None and answer.status == 202:
            statuses = [await self._verified(token, answer.json["registration"]) for token in tokens]
            assert set(statuses) == {410}
        assert await self.stage.value("select count(*) from tenantry.users where email = $1", subject) == 1

    async def _mailed(self, address: str) -> set[str]:
        mails = await self.stage.behind.mails()
        return {found.group(1) for mail in mails if mail.to == address and (found := TOKEN.search(mail.text))}

    async def _verified(self, token: str, proof: str) -> int:
        body = {"token": token, "registration": proof}
        return (await self.stage.client.post("/v1/auth/verify-email", body)).status


async def test_a_registration_that_was_committed_is_mailed_though_its_answer_was_lost(stage: Stage) -> None:
    flow = Registering(stage)
    *_, last = await enumerate_points(flow)
    assert (last.side, last.unit.sql) == (Side.AFTER, "commit")
    _, answer = await visit(flow, Point(last.unit, Side.AFTER))
    assert answer is None


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_registration_is_whole_or_absent_wherever_the_app_is_killed(stage: Stage, chosen: Chosen) -> None:
    await hold(Registering(stage), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_registration_is_whole_or_absent_wherever_its_connection_is_cut(stage: Stage, chosen: Chosen) -> None:
    await hold(Registering(stage, cut), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_registration_is_whole_or_absent_wherever_the_database_is_killed(
    mortal_stage: Stage, mortal: Mortal, chosen: Chosen
) -> None:
    await hold(Registering(mortal_stage, mortal.kill), chosen)
