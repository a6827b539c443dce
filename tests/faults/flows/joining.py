"""Registering and proving an address: the row, its event and the job that mails are there together or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass

from faults.app import Stage, new_address
from faults.flow import Flow, Told
from tenantry.testing import Response
from tenantry.testing.installation import PASSWORD

TOKEN = re.compile(r"[?&]token=([A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class Pending:
    """A registration whose mail has arrived."""

    email: str
    token: str
    registration: str


async def _nobody(_: Stage) -> str:
    return new_address()


async def _register(stage: Stage, address: str) -> Response:
    return await stage.client.post(
        "/v1/auth/register", {"email": address, "password": PASSWORD, "name": "Ada Lovelace"}
    )


async def _is_mailed_a_link_that_works_once(told: Told[str]) -> None:
    stage, address = told.stage, told.subject
    await stage.behind.drain_jobs()
    tokens = await _mailed(stage, address)
    assert len(tokens) == await stage.value("select count(*) from tenantry.registrations where email = $1", address)
    statuses = [await _verified(stage, token, told.retried.json["registration"]) for token in tokens]
    assert statuses.count(200) == 1
    if told.first is not None and told.first.status == 202:
        statuses = [await _verified(stage, token, told.first.json["registration"]) for token in tokens]
        assert set(statuses) == {410}
    assert await stage.value("select count(*) from tenantry.users where email = $1", address) == 1


async def _mailed(stage: Stage, address: str) -> set[str]:
    mails = await stage.behind.mails()
    return {found.group(1) for mail in mails if mail.to == address and (found := TOKEN.search(mail.text))}


async def _verified(stage: Stage, token: str, proof: str) -> int:
    return (await stage.client.post("/v1/auth/verify-email", {"token": token, "registration": proof})).status


async def _mailed_a_link(stage: Stage) -> Pending:
    email = new_address()
    registration = await stage.behind.register(email)
    return Pending(email, await stage.behind.mailed_token(email), registration)


async def _verify(stage: Stage, pending: Pending) -> Response:
    body = {"token": pending.token, "registration": pending.registration}
    return await stage.client.post("/v1/auth/verify-email", body)


async def _verify_by_password(stage: Stage, pending: Pending) -> Response:
    return await stage.client.post("/v1/auth/verify-email", {"token": pending.token, "password": PASSWORD})


async def _has_joined(told: Told[Pending]) -> None:
    stage, pending = told.stage, told.subject
    login = await stage.client.post("/v1/auth/login", {"email": pending.email, "password": PASSWORD})
    assert login.status == 200
    for signed_in in (*told.given(), login):
        me = await stage.client.signed_in(signed_in.json).get("/v1/users/me")
        assert (me.status, me.json["id"]) == (200, login.json["user"]["id"])
    assert [(await ask(stage, pending)).status for ask in (_verify, _verify_by_password)] == [410, 410]


JOINED = (
    *("+ users", "+ credentials", "+ sessions", "- registrations"),
    *("+ event accounts.user_joined", "+ event accounts.session_started"),
)
REGISTERING = Flow(
    "registering",
    ("+ registrations", "+ event accounts.registration_asked", "+ jobs"),
    _nobody,
    _register,
    _is_mailed_a_link_that_works_once,
    success=202,
)
JOINING = (
    REGISTERING,
    Flow("verifying", JOINED, _mailed_a_link, _verify, _has_joined, repeated=410),
    Flow("verifying by password", JOINED, _mailed_a_link, _verify_by_password, _has_joined, repeated=410),
)
