"""Closing an account and opening it again: with all its ends, or nothing of them."""

from __future__ import annotations

from faults.app import Stage
from faults.flow import Flow, Told
from tenantry.testing import Client, Response
from tenantry.testing.installation import PASSWORD

from .people import on_two_devices, somebody

CLOSURE = "/v1/users/me/closure"
BODY = {"password": PASSWORD}


async def _on_two_devices_and_mailed_a_link(stage: Stage) -> Client:
    person = (await on_two_devices(stage)).mine
    await stage.behind.client.post("/v1/auth/forgot-password", {"email": person.email})
    await stage.behind.drain_jobs()
    return person


async def _closed(stage: Stage) -> Client:
    person = await somebody(stage)
    assert (await person.post(CLOSURE, BODY)).status == 200
    await stage.behind.drain_jobs()
    return person


async def _close(stage: Stage, person: Client) -> Response:
    return await stage.client.signed_in(person.tokens).post(CLOSURE, BODY)


async def _reopen(stage: Stage, person: Client) -> Response:
    return await stage.client.signed_in(person.tokens).delete(CLOSURE, body=BODY)


async def _is_closed(told: Told[Client]) -> None:
    answer = await told.stage.client.signed_in(told.subject.tokens).get("/v1/users/me")
    assert (answer.status, answer.json["closes_at"] is None) == (200, False)


async def _is_open(told: Told[Client]) -> None:
    answer = await told.stage.client.signed_in(told.subject.tokens).get("/v1/users/me")
    assert (answer.status, answer.json["closes_at"]) == (200, None)


CLOSED = ("+ event accounts.session_ended", "+ event accounts.user_closed")
CLOSING = (
    Flow(
        "closing an account",
        ("+ closed accounts", "+ ended sessions", "- resets", "+ jobs", *CLOSED),
        _on_two_devices_and_mailed_a_link,
        _close,
        _is_closed,
        repeated=403,
    ),
    Flow(
        "opening it again",
        ("- closed accounts", "+ event accounts.user_reopened", "+ jobs"),
        _closed,
        _reopen,
        _is_open,
        repeated=409,
    ),
)
