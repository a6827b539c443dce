"""Recovering an account: the new password or address with all its ends, or nothing of them."""

from __future__ import annotations

from dataclasses import dataclass

from faults.app import Stage, new_address
from faults.flow import Flow, Told
from tenantry.testing import Client, Response
from tenantry.testing.installation import PASSWORD

from .people import can_log_in, on_two_devices, seen, somebody

NEW = "seven lanterns over the harbour"


@dataclass(frozen=True)
class Linked:
    """A person who was mailed a link."""

    person: Client
    token: str
    address: str


async def _mailed_a_reset(stage: Stage) -> Linked:
    person = await somebody(stage)
    await stage.behind.client.post("/v1/auth/forgot-password", {"email": person.email})
    return Linked(person, await stage.behind.mailed_token(person.email), person.email)


async def _reset(stage: Stage, linked: Linked) -> Response:
    return await stage.client.post("/v1/auth/reset-password", {"token": linked.token, "password": NEW})


async def _has_the_new_password_alone(told: Told[Linked]) -> None:
    stage, linked = told.stage, told.subject
    assert await seen(stage.client, linked.person) == 401
    assert await can_log_in(stage, linked.address, PASSWORD) == 401
    assert await can_log_in(stage, linked.address, NEW) == 200


async def _one_of_two_devices(stage: Stage) -> Client:
    return (await on_two_devices(stage)).mine


async def _change_password(stage: Stage, person: Client) -> Response:
    device = stage.client.signed_in(person.tokens)
    return await device.post("/v1/users/me/password", {"password": PASSWORD, "new_password": NEW})


async def _has_the_new_password_here(told: Told[Client]) -> None:
    assert await seen(told.stage.client, told.subject) == 200
    assert await can_log_in(told.stage, told.subject.email, NEW) == 200


async def _mailed_at_a_new_address(stage: Stage) -> Linked:
    address, person = new_address(), await somebody(stage)
    await person.post("/v1/users/me/email", {"email": address})
    return Linked(person, await stage.behind.mailed_token(address), address)


async def _confirm(stage: Stage, linked: Linked) -> Response:
    device = stage.client.signed_in(linked.person.tokens)
    return await device.post("/v1/users/me/email/confirmation", {"token": linked.token})


async def _has_the_new_address(told: Told[Linked]) -> None:
    assert await can_log_in(told.stage, told.subject.address, PASSWORD) == 200
    assert await can_log_in(told.stage, told.subject.person.email, PASSWORD) == 401


CHANGED = (
    *("+ strong hashes", "+ ended sessions", "+ jobs"),
    *("+ event accounts.session_ended", "+ event accounts.password_changed"),
)
RECOVERING = (
    Flow(
        "resetting a password",
        ("- resets", *CHANGED),
        _mailed_a_reset,
        _reset,
        _has_the_new_password_alone,
        repeated=410,
    ),
    Flow(
        "changing a password",
        CHANGED,
        _one_of_two_devices,
        _change_password,
        _has_the_new_password_here,
        success=204,
        repeated=401,
    ),
    Flow(
        "changing an address",
        ("- pending addresses", "+ event accounts.address_changed", "+ jobs"),
        _mailed_at_a_new_address,
        _confirm,
        _has_the_new_address,
        repeated=410,
    ),
)
