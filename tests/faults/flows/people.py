"""The people that flows are about, brought about behind the scenes, and what each may do afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from faults.app import Stage, new_address
from tenantry.testing import Client
from tenantry.testing.installation import PASSWORD


@dataclass(frozen=True)
class Devices:
    """A person, signed in on two devices."""

    mine: Client
    other: Client


async def somebody(stage: Stage) -> Client:
    """A person, signed in on one device."""
    return await stage.behind.person(new_address())


async def on_two_devices(stage: Stage) -> Devices:
    """A person, signed in on two devices."""
    person = await somebody(stage)
    login = await stage.behind.client.post("/v1/auth/login", {"email": person.email, "password": PASSWORD})
    await stage.behind.drain_jobs()
    return Devices(person, stage.behind.client.signed_in(login.json))


async def can_log_in(stage: Stage, email: str, password: str) -> int:
    """The status of a login."""
    return (await stage.client.post("/v1/auth/login", {"email": email, "password": password})).status


async def seen(client: Client, device: Client) -> int:
    """How a device's access token is answered, by whoever that client speaks to."""
    return (await client.signed_in(device.tokens).get("/v1/users/me")).status


async def signed_out(client: Client, device: Client) -> bool:
    """Whether both tokens of a device are refused."""
    body = {"refresh_token": device.tokens["refresh_token"]}
    refreshed = (await client.post("/v1/auth/refresh", body)).status
    return (await seen(client, device), refreshed) == (401, 401)
