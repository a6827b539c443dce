"""An operator signs out one person or everybody, and what they held is refused from the next request on."""

from __future__ import annotations

import pytest

from tenantry.accounts import cli, exchanges
from tenantry.accounts.actions import revocation, revoke_sessions, revoke_sessions_of_everybody
from tenantry.accounts.exchanges import sign_out, sign_out_everybody
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.command import BadUsage
from tenantry.foundation.problems import Forbidden, NotFound
from tenantry.foundation.work import SystemWork
from tenantry.testing import Client, HandClock, Installation
from tenantry.testing.installation import PASSWORD


def _call(house: Installation, actor: Actor = Actor("cli", name="a test")) -> Call:  # noqa: B008  (frozen)
    return Call(house.runtime, actor, "request-of-a-test")


async def _again(house: Installation, person: Client) -> Client:
    """Another device of the same person."""
    answer = await house.client.post("/v1/auth/login", {"email": person.email, "password": PASSWORD})
    assert answer.status == 200, answer
    return house.client.signed_in(answer.json)


async def _is_out(house: Installation, device: Client) -> bool:
    """Whether neither of a device's tokens is good for anything."""
    me = await device.get("/v1/users/me")
    refresh = await house.client.post("/v1/auth/refresh", {"refresh_token": device.tokens["refresh_token"]})
    assert (me.status, refresh.status) in {(200, 200), (401, 401)}
    return me.status == 401


@pytest.mark.parametrize("named_by", ["email", "user_id"])
async def test_one_person_is_signed_out_of_every_device(installation: Installation, named_by: str) -> None:
    ada, bob = await installation.person(), await installation.person()
    devices = [ada, await _again(installation, ada)]
    assert (
        await sign_out(
            _call(installation), person=getattr(ada, named_by).upper() if named_by == "email" else ada.user_id
        )
        == 2
    )
    assert [await _is_out(installation, device) for device in (*devices, bob)] == [True, True, False]
    ended = await installation.recorded("accounts.session_ended")
    assert [event["why"] for event in ended] == ["revoked", "revoked"]
    assert not await _is_out(installation, await _again(installation, ada))


@pytest.mark.parametrize("person", ["nobody@example.com", "usr_01h455vb4pex5vsknk084sn02q", "neither", ""])
async def test_somebody_unknown_cannot_be_signed_out(house: Installation, person: str) -> None:
    with pytest.raises(NotFound):
        await sign_out(_call(house), person=person)


async def test_everybody_is_signed_out_batch_by_batch(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "REVOKED_AT_ONCE", 2)
    people = [await installation.person() for _ in range(3)]
    devices = [*people, *[await _again(installation, people[0]) for _ in range(2)]]
    assert await sign_out_everybody(_call(installation)) == 5
    assert all([await _is_out(installation, device) for device in devices])
    assert len(await installation.recorded("accounts.session_ended")) == 5
    assert await sign_out_everybody(_call(installation)) == 0
    assert len(await installation.recorded("accounts.session_ended")) == 5


async def test_stopped_half_way_it_goes_on_where_it_was(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "REVOKED_AT_ONCE", 1)
    for _ in range(3):
        await installation.person()
    real, batches = revoke_sessions_of_everybody, []

    async def dies_at_the_second(work: SystemWork, **asked: object) -> object:
        batches.append(asked)
        if len(batches) == 2:
            raise KeyboardInterrupt
        return await real(work, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(exchanges.revocation.actions, "revoke_sessions_of_everybody", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        await sign_out_everybody(_call(installation))
    assert len(await installation.recorded("accounts.session_ended")) == 1
    assert await sign_out_everybody(_call(installation)) == 2


async def test_a_sign_in_that_is_committed_behind_it_is_ended_as_well(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, real, late = await installation.person(), revoke_sessions_of_everybody, []

    async def somebody_comes_late(work: SystemWork, **asked: object) -> object:
        batch = await real(work, **asked)  # type: ignore[arg-type]
        if not late:
            late.append(await _again(installation, ada))
            # it had begun before everybody was signed out
            await installation.rows(
                "update tenantry.sessions set created_at = $1, id = '00000000-0000-7000-8000-000000000000'"
                " where ended_at is null and created_at > $1 returning id",
                asked["before"],
            )
        return batch

    monkeypatch.setattr(exchanges.revocation.actions, "revoke_sessions_of_everybody", somebody_comes_late)
    assert await sign_out_everybody(_call(installation)) == 2


async def test_who_signs_in_while_everybody_is_signed_out_stays(
    clocked: Installation, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, real, back = await clocked.person(), revoke_sessions_of_everybody, []

    async def somebody_comes_back(work: SystemWork, **asked: object) -> object:
        if not back:
            clock.advance(seconds=1)
            back.append(await _again(clocked, ada))
        return await real(work, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(exchanges.revocation.actions, "revoke_sessions_of_everybody", somebody_comes_back)
    assert await sign_out_everybody(_call(clocked)) == 1
    assert not await _is_out(clocked, back[0])


async def test_only_the_house_signs_people_out(house: Installation) -> None:
    ada = await house.person()
    with pytest.raises(Forbidden):
        await sign_out(_call(house, NOBODY), person=ada.email)
    with pytest.raises(Forbidden):
        await sign_out_everybody(_call(house, NOBODY))
    assert not await _is_out(house, ada)


async def test_the_command_takes_one_person_or_everybody(house: Installation) -> None:
    with pytest.raises(BadUsage):
        await cli.revoke(_call(house))
    with pytest.raises(BadUsage):
        await cli.revoke(_call(house), user="ada@example.com", everybody=True)


async def test_a_session_that_ends_by_itself_meanwhile_is_not_ended_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, real = await installation.person(), revocation.live_sessions_of

    async def then_they_leave(work: SystemWork, **asked: object) -> object:
        found = await real(work, **asked)
        assert (await ada.post("/v1/auth/logout", {"scope": "local"})).status == 204
        return found

    monkeypatch.setattr(revocation, "live_sessions_of", then_they_leave)
    (row,) = await installation.rows("select user_id from tenantry.sessions")
    async with SystemWork(_call(installation), reason="a test") as work:
        assert await revoke_sessions(work, user_id=row["user_id"]) == 0
    (row,) = await installation.rows("select ended_why from tenantry.sessions")
    assert row["ended_why"] == "logout"
