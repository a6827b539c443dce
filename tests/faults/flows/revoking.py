"""Signing devices out, by their person and by an operator: all that were meant, each with its event, or none."""

from __future__ import annotations

from faults.app import Stage
from faults.flow import Flow, Told
from tenantry.foundation.data.ids import SESSION_ID
from tenantry.testing import Client, Response

from .people import Devices, on_two_devices, seen, signed_out

ONE = ("+ ended sessions", "+ event accounts.session_ended")


async def _log_out_all(stage: Stage, devices: Devices) -> Response:
    return await stage.client.signed_in(devices.mine.tokens).post("/v1/auth/logout", {"scope": "all"})


async def _log_out_others(stage: Stage, devices: Devices) -> Response:
    return await stage.client.signed_in(devices.mine.tokens).post("/v1/auth/logout", {"scope": "others"})


async def _end_the_other(stage: Stage, devices: Devices) -> Response:
    session = SESSION_ID.text(stage.behind.runtime.refresh.read(devices.other.tokens["refresh_token"]).session)
    return await stage.client.signed_in(devices.mine.tokens).delete(f"/v1/users/me/sessions/{session}")


async def _give_back_the_other(stage: Stage, devices: Devices) -> Response:
    return await stage.client.post("/v1/auth/revoke", {"token": devices.other.tokens["refresh_token"]})


async def _revoke(stage: Stage, devices: Devices) -> Response:
    return await stage.typed("tokens", "revoke", "--user", devices.mine.email)


async def _only_this_one_is_left(told: Told[Devices]) -> None:
    assert await signed_out(told.stage.client, told.subject.other)
    assert await _goes_on(told.stage.client, told.subject.mine)


async def _goes_on(client: Client, device: Client) -> bool:
    refreshed = await client.post("/v1/auth/refresh", {"refresh_token": device.tokens["refresh_token"]})
    return (await seen(client, device), refreshed.status) == (200, 200)


async def _none_is_left(told: Told[Devices]) -> None:
    # the served app where there is one; what a command did is seen by the one that went on beside it
    client = told.stage.client if told.stage.app.running else told.stage.behind.client
    for device in (told.subject.mine, told.subject.other):
        assert await signed_out(client, device)


async def _none_is_left_and_each_was_counted_once(told: Told[Devices]) -> None:
    await _none_is_left(told)
    counts = [int(answer.body.removeprefix(b"sessions: ")) for answer in told.given()]
    # one that died may have said nothing of what it did
    assert sum(counts) == 2 if len(counts) == 2 else counts in ([0], [2])


REVOKING = (
    Flow("logging out everywhere", ONE + ONE, on_two_devices, _log_out_all, _none_is_left, success=204, repeated=401),
    Flow("logging out elsewhere", ONE, on_two_devices, _log_out_others, _only_this_one_is_left, success=204),
    Flow("ending a device", ONE, on_two_devices, _end_the_other, _only_this_one_is_left, success=204, repeated=404),
    Flow("giving a token back", ONE, on_two_devices, _give_back_the_other, _only_this_one_is_left),
    Flow(
        "tokens revoke --user",
        ONE + ONE,
        on_two_devices,
        _revoke,
        _none_is_left_and_each_was_counted_once,
        by_command=True,
    ),
)
