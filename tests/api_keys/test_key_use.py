"""When a key was used last: written by nobody's request, about once a minute, and never over what others change."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from key_kit import asked, make, opens, uuid_of, work_of

from patience import until
from tenantry.api_keys import actions
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.key_use import note_use, settle_uses
from tenantry.foundation.security.used_keys import MOST_USED, WRITTEN_EVERY, UsedKeys
from tenantry.testing import Databases, Installation, installed

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def _apart(house: Installation) -> Runtime:
    """The same house with a memory of its own for what was used."""
    return msgspec.structs.replace(house.runtime, used_keys=UsedKeys())


def _use(runtime: Runtime, org: str, key: str) -> None:
    org_id = ORG_ID.read(org)
    assert org_id is not None
    note_use(Call(runtime, Actor("api_key"), "a-use-of-a-test"), org_id, uuid_of(key))


async def test_the_use_of_a_key_shows_soon_and_many_uses_are_one_write(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    assert made.said["last_used_at"] is None
    with asked() as said:
        for _ in range(20):
            assert await opens(team, made.program)

        async def used_at() -> Any:
            return (await team.owner.get(made.path)).json["last_used_at"]

        text = await until(used_at)
        for _ in range(20):
            assert await opens(team, made.program)
    assert abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(minutes=1)
    assert len([one for one in said if "set last_used_at" in one]) == 1


async def test_a_refused_request_is_no_use(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org, "org:read")
    assert (await made.program.get(f"{team.path}/members")).status == 403
    [key] = [(org, key) for org, key in [(ORG_ID.read(team.org), uuid_of(made.id))]]
    assert key not in house.runtime.used_keys.waiting


async def test_a_revocation_at_the_same_moment_stands(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    runtime = _apart(house)
    _use(runtime, team.org, made.id)
    async with await work_of(house, team.org, team.owner) as work:
        await actions.revoke_key(work, key_id=uuid_of(made.id))
        # the row is held: whoever writes uses does not wait for it, and does not write what they knew of it
        async with asyncio.timeout(3):
            await settle_uses(runtime)
        assert runtime.used_keys.failed == 0, "it was not waited for"
    _use(runtime, team.org, made.id)
    await settle_uses(runtime)
    [row] = await house.rows(
        "select revoked_at, version, scopes, last_used_at from tenantry.api_keys where id = $1", uuid_of(made.id)
    )
    assert row["revoked_at"] is not None
    assert (row["version"], row["scopes"]) == (2, ["members:read"])
    assert row["last_used_at"] is not None
    assert not await opens(team, made.program)


async def test_a_use_that_is_written_late_does_not_go_back_in_time(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    runtime = _apart(house)
    _use(runtime, team.org, made.id)
    later = datetime.now(UTC) + timedelta(hours=1)
    await house.rows("update tenantry.api_keys set last_used_at = $2 where id = $1", uuid_of(made.id), later)
    await settle_uses(runtime)
    assert datetime.fromisoformat((await team.owner.get(made.path)).json["last_used_at"]) == later


async def test_what_a_process_noted_is_written_when_it_ends(
    databases: Databases, registry: Registry, tmp_path: Path
) -> None:
    async with databases.fresh() as url:
        async with installed(url, tmp_path, registry=registry) as house:
            team = await house.team()
            made = await make(house, team.owner, team.org)
            assert await opens(team, made.program)
            rows = house.rows
        [row] = await rows("select last_used_at from tenantry.api_keys where id = $1", uuid_of(made.id))
        assert row["last_used_at"] is not None


# what a process has in mind


def _key() -> tuple[UUID, UUID]:
    return uuid4(), uuid4()


def test_a_key_is_written_once_a_minute_with_its_latest_use() -> None:
    now = 1000.0
    used, key = UsedKeys(seconds=lambda: now), _key()
    used.note(key, NOW)
    assert (used.due_in(), used.take()) == (0, {key: NOW})
    used.note(key, NOW + timedelta(seconds=1))
    used.note(key, NOW + timedelta(seconds=2))
    now += 20
    assert (used.due_in(), used.take()) == (WRITTEN_EVERY - 20, {})
    now += WRITTEN_EVERY - 20
    assert used.take() == {key: NOW + timedelta(seconds=2)}
    assert used.due_in() is None


def test_what_could_not_be_written_is_tried_again_unless_there_is_a_later_use() -> None:
    used, key, other = UsedKeys(seconds=lambda: 0.0), _key(), _key()
    used.note(key, NOW)
    used.note(other, NOW)
    taken = used.take()
    used.note(key, NOW + timedelta(seconds=5))
    used.give_back(taken)
    assert used.take() == {key: NOW + timedelta(seconds=5), other: NOW}


def test_no_more_keys_are_kept_in_mind_than_there_is_room_for() -> None:
    used = UsedKeys()
    for _ in range(MOST_USED + 10):
        used.note(_key(), NOW)
    assert len(used.waiting) == MOST_USED


@pytest.mark.parametrize("lost", [ConnectionError, TimeoutError])
async def test_while_the_database_is_away_uses_wait(
    house: Installation, monkeypatch: pytest.MonkeyPatch, lost: type[Exception]
) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    runtime = _apart(house)

    async def away(*_: Any, **__: Any) -> Any:
        raise lost

    _use(runtime, team.org, made.id)
    flushing = runtime.used_keys.flushing
    assert flushing is not None
    with monkeypatch.context() as patched:
        patched.setattr("tenantry.foundation.security.key_use._keep", away)
        await until(lambda: runtime.used_keys.failed)
    assert runtime.used_keys.waiting
    await settle_uses(runtime)
    assert (await team.owner.get(made.path)).json["last_used_at"] is not None
    assert flushing.done()
