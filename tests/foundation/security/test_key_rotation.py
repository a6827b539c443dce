"""Signing keys are rotated without anybody noticing, and replaced at once when one was stolen."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.problems import Unavailable
from tenantry.foundation.security import keyring
from tenantry.foundation.security.access import LIFE
from tenantry.foundation.security.keyring import FRESH_FOR, STALE_AFTER, KeyRing
from tenantry.foundation.security.keys import MasterKeys, new_master_key
from tenantry.foundation.security.sealing import Sealer
from tenantry.foundation.security.succession import (
    CACHED_FOR,
    PUBLISHED_FOR,
    VERIFIES_FOR,
    Moves,
    move_along,
    replace_at_once,
)
from tenantry.foundation.security.tokens import BadToken, Reason
from tenantry.foundation.work import SystemWork
from tenantry.testing import Client, HandClock, Installation, installed

CLAIMS = {"subject": "usr_1", "session": "ses_1"}
ORIGIN = "http://127.0.0.1:8000"


@pytest.fixture
async def here(database_url: str, registry: Registry, tmp_path: Path, clock: HandClock) -> AsyncIterator[Installation]:
    """A process on the clock set by hand."""
    environ = clock.environ | {"TENANTRY_PUBLIC_URL": ORIGIN}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as one:
        yield one


@pytest.fixture
async def there(
    here: Installation, database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Installation]:
    """Another process of the same installation."""
    environ = clock.environ | {"TENANTRY_PUBLIC_URL": ORIGIN}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as one:
        yield one


def _work(house: Installation) -> SystemWork:
    return SystemWork(Call(house.runtime, Actor("cli", name="a test"), "request-of-a-test"), reason="a test")


async def _move(house: Installation, *, begin: bool = False) -> Moves:
    async with _work(house) as work:
        return await move_along(work, begin=begin)


async def _begin(house: Installation) -> Moves:
    return await _move(house, begin=True)


async def _replace(house: Installation) -> Moves:
    async with _work(house) as work:
        return await replace_at_once(work)


async def _states(house: Installation) -> dict[str, str]:
    rows = await house.rows("select kid, state from tenantry.signing_keys order by created_at, kid")
    return {row["kid"]: row["state"] for row in rows}


def _ring(house: Installation) -> KeyRing:
    """The ring of one more process."""
    return KeyRing(house.runtime.database, house.runtime.sealer, issuer=ORIGIN)


def _done(moves: Moves) -> list[str]:
    return [change.state for change in moves.done]


# a rotation


async def test_a_rotation_goes_step_by_step_each_when_its_time_has_come(here: Installation, clock: HandClock) -> None:
    (old,) = await _states(here)
    begun = await _move(here, begin=True)
    (new,) = [change.kid for change in begun.done]
    assert await _states(here) == {old: "active", new: "next"}
    assert [(wait.kid, wait.state, wait.at) for wait in begun.waiting] == [(new, "active", clock.now + PUBLISHED_FOR)]

    clock.advance(seconds=PUBLISHED_FOR.total_seconds() - 1)
    early = await _move(here, begin=True)
    assert (early.done, early.waiting) == ((), begun.waiting)
    clock.advance(seconds=1)
    promoted = await _move(here)
    assert await _states(here) == {old: "retiring", new: "active"}
    assert [(wait.kid, wait.state, wait.at) for wait in promoted.waiting] == [
        (old, "retired", clock.now + VERIFIES_FOR)
    ]

    clock.advance(seconds=VERIFIES_FOR.total_seconds() - 1)
    assert (await _move(here, begin=True)).done == ()
    clock.advance(seconds=1)
    assert _done(await _move(here)) == ["retired"]
    assert await _states(here) == {old: "retired", new: "active"}


async def test_a_retired_key_is_kept_without_its_private_half(here: Installation, clock: HandClock) -> None:
    (old,) = await _states(here)
    await _move(here, begin=True)
    for _ in range(2):
        clock.advance(hours=1)
        await _move(here)
    rows = await here.rows("select state, sealed_private, public_key from tenantry.signing_keys where kid = $1", old)
    assert (rows[0]["state"], rows[0]["sealed_private"], len(rows[0]["public_key"])) == ("retired", b"", 32)


async def test_the_schedule_finishes_a_rotation_and_begins_none(here: Installation, clock: HandClock) -> None:
    async def scheduled() -> None:
        async with _work(here) as work:
            work.enqueue(NewJob("foundation.finish_key_rotation"))
        assert await here.drain_jobs() == 1

    await scheduled()
    assert list((await _states(here)).values()) == ["active"]
    await _move(here, begin=True)
    for expected in (["active", "retiring"], ["active", "retired"], ["active", "retired"]):
        clock.advance(hours=1)
        await scheduled()
        assert sorted((await _states(here)).values()) == expected


async def test_of_two_who_rotate_at_once_one_does(here: Installation) -> None:
    moves = await asyncio.gather(*(_move(here, begin=True) for _ in range(5)))
    assert sorted(_done(one) for one in moves) == [[], [], [], [], ["next"]]
    assert sorted((await _states(here)).values()) == ["active", "next"]


async def test_a_next_key_that_does_not_open_any_more_is_replaced(here: Installation, clock: HandClock) -> None:
    await _move(here, begin=True)
    await here.rows("update tenantry.signing_keys set sealed_private = 'x' where state = 'next' returning kid")
    clock.advance(hours=1)
    assert _done(await _move(here)) == ["retired", "next"]
    clock.advance(hours=1)
    await _move(here)
    ring = _ring(here)
    await ring.load()
    assert ring.ready


# nobody notices


class _Visitor:
    """A device that keeps asking, at whichever process, and refreshes in good time."""

    def __init__(self, clock: HandClock, houses: list[Installation], client: Client) -> None:
        self._clock, self._houses = clock, houses
        self._tokens = [(clock.now, client.tokens)]
        self.answers: list[int] = []

    async def keep_asking(self) -> None:
        while True:
            since, newest = self._tokens[-1]
            if (self._clock.now - since).total_seconds() > 60:
                body = {"refresh_token": newest["refresh_token"]}
                answer = await random.choice(self._houses).client.post("/v1/auth/refresh", body)
                self.answers.append(answer.status)
                self._tokens.append((self._clock.now, answer.json))
            # not only the newest token: each is good for some five minutes
            good = [tokens for since, tokens in self._tokens if (self._clock.now - since).total_seconds() < 0.9 * LIFE]
            client = random.choice(self._houses).client.signed_in(random.choice(good[-4:]))
            self.answers.append((await client.get("/v1/users/me")).status)


async def test_nobody_is_refused_while_the_keys_of_two_processes_are_rotated(
    here: Installation, there: Installation, clock: HandClock
) -> None:
    houses, signed_by = [here, there], set()
    visitors = [_Visitor(clock, houses, await here.person()) for _ in range(3)]
    asking = [asyncio.create_task(visitor.keep_asking()) for visitor in visitors]
    await _move(here, begin=True)
    async with asyncio.timeout(60):
        # each process reads the keys at its own minute, and steps are taken as soon as they are due
        for step in range(int((PUBLISHED_FOR + VERIFIES_FOR).total_seconds() // 15) + 20):
            clock.advance(seconds=15)
            await _move(random.choice(houses))
            for house, turn in ((here, 0), (there, 2)):
                if step % (FRESH_FOR // 15) == turn:
                    await house.runtime.keys.load()
            counts = [len(visitor.answers) + 3 for visitor in visitors]
            while any(len(visitor.answers) < count for visitor, count in zip(visitors, counts, strict=True)):
                for task in asking:
                    assert not task.done(), task.exception()
                await asyncio.sleep(0.001)
            signed_by.update(kid for kid, state in (await _states(here)).items() if state == "active")
    for task in asking:
        task.cancel()
    assert [status for visitor in visitors for status in visitor.answers if status != 200] == []
    assert len(signed_by) == 2
    assert sorted((await _states(here)).values()) == ["active", "retired"]


async def test_others_who_keep_the_public_keys_as_long_as_they_may_know_every_key_in_use(
    here: Installation, clock: HandClock
) -> None:
    async def shown() -> set[str]:
        answer = await here.client.get("/.well-known/jwks.json")
        assert answer.headers["cache-control"] == f"public, max-age={CACHED_FOR}"
        return {key["kid"] for key in answer.json["keys"]}

    # fetched in the last moment in which a slow process does not show the next key, and kept for as long as is allowed
    cached = await shown()
    await _move(here, begin=True)
    clock.advance(seconds=STALE_AFTER + CACHED_FOR)
    await _move(here)
    active = {kid for kid, state in (await _states(here)).items() if state == "active"}
    assert active <= cached


async def test_the_public_keys_show_those_that_are_next_active_and_retiring(
    here: Installation, clock: HandClock
) -> None:
    seen = []
    for begin in (False, True, False, False):
        await _move(here, begin=begin)
        await here.runtime.keys.load()
        shown = [key["kid"] for key in (await here.client.get("/.well-known/jwks.json")).json["keys"]]
        seen.append(sorted([(await _states(here))[kid] for kid in shown]))
        clock.advance(hours=1)
    assert seen == [["active"], ["active", "next"], ["active", "retiring"], ["active"]]


# a process that did not look


async def test_what_a_process_signs_before_it_sees_its_key_retire_is_good_for_its_whole_life(
    here: Installation, clock: HandClock
) -> None:
    await _move(here, begin=True)
    clock.advance(seconds=PUBLISHED_FOR.total_seconds())
    slow, quick = _ring(here), _ring(here)
    await slow.load()
    await _move(here)
    await quick.load()
    # the last moment in which it signs without having read the keys again
    clock.advance(seconds=STALE_AFTER)
    token, life = slow.issue(CLAIMS)
    clock.advance(seconds=life - 1)
    await _move(here)
    await quick.load()
    assert (await quick.verify(token)).sub == "usr_1"


async def test_a_process_that_cannot_read_the_keys_stops_signing(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, late = _ring(here), SimpleNamespace(by=0.0)
    await ring.load()
    real = keyring.time.monotonic
    monkeypatch.setattr(keyring, "time", SimpleNamespace(monotonic=lambda: real() + late.by))
    late.by = STALE_AFTER - 5
    assert ring.issue(CLAIMS)
    late.by = STALE_AFTER + 1
    with pytest.raises(Unavailable):
        ring.issue(CLAIMS)
    await ring.load()
    assert ring.issue(CLAIMS)


async def test_a_process_that_could_not_read_the_keys_tries_again_soon(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, read, tried = _ring(here), asyncio.Event(), []

    async def first_fails() -> None:
        tried.append(1)
        if len(tried) == 1:
            raise Unavailable
        read.set()

    await ring.load()
    monkeypatch.setattr(ring, "load", first_fails)
    monkeypatch.setattr(keyring, "SOON", 0.01)
    await ring.keep_fresh()
    async with asyncio.timeout(5):
        await read.wait()
    await ring.stop()


async def test_keys_that_were_read_first_are_not_adopted_last(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, real, has_read, go_on = _ring(here), keyring.keys_in_use, asyncio.Event(), asyncio.Event()
    await ring.load()

    async def first_is_slow(opened: Any) -> Any:
        found = await real(opened)
        if not has_read.is_set():
            has_read.set()
            await go_on.wait()
        return found

    monkeypatch.setattr(keyring, "keys_in_use", first_is_slow)
    slow = asyncio.create_task(ring.load())
    await has_read.wait()
    await _replace(here)
    quick = asyncio.create_task(ring.load())
    await asyncio.wait([quick], timeout=0.3)
    go_on.set()
    await asyncio.gather(slow, quick)
    token, _ = ring.issue(CLAIMS)
    await here.runtime.keys.load()
    assert await here.runtime.keys.verify(token)


async def test_a_process_that_cannot_open_the_active_key_verifies_and_signs_nothing(here: Installation) -> None:
    other = Sealer(MasterKeys.parse(new_master_key("other")))
    token, _ = here.runtime.keys.issue(CLAIMS)
    ring = KeyRing(here.runtime.database, other, issuer=ORIGIN)
    await ring.load()
    assert await ring.verify(token)
    assert not ring.ready
    with pytest.raises(Unavailable):
        ring.issue(CLAIMS)


async def test_a_process_whose_new_key_does_not_open_does_not_go_on_with_the_old_one(
    here: Installation, clock: HandClock
) -> None:
    ring = _ring(here)
    await ring.load()
    await _move(here, begin=True)
    clock.advance(hours=1)
    await _move(here)
    await here.rows("update tenantry.signing_keys set sealed_private = 'x' where state = 'active' returning kid")
    await ring.load()
    with pytest.raises(Unavailable):
        ring.issue(CLAIMS)


# a stolen key


async def test_a_stolen_key_is_replaced_at_once_and_nothing_it_signed_is_believed(
    here: Installation, there: Installation
) -> None:
    ada = await here.person()
    (old,) = await _states(here)
    moves = await _replace(here)
    assert _done(moves) == ["retired", "active"]
    for house in (here, there):
        await house.runtime.keys.load()
        assert (await house.client.signed_in(ada.tokens).get("/v1/users/me")).status == 401
    refreshed = await there.client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
    assert (await here.client.signed_in(refreshed.json).get("/v1/users/me")).status == 200
    assert (await _states(here))[old] == "retired"


async def test_a_process_that_did_not_see_the_replacement_signs_with_the_stolen_key_until_it_reads(
    here: Installation,
) -> None:
    slow, quick = _ring(here), _ring(here)
    await slow.load()
    await _replace(here)
    await quick.load()
    token, _ = slow.issue(CLAIMS)
    with pytest.raises(BadToken) as refused:
        await quick.verify(token)
    assert refused.value.reason is Reason.UNKNOWN_KEY
    await slow.load()
    with pytest.raises(BadToken):
        await slow.verify(token)
    token, _ = slow.issue(CLAIMS)
    assert await quick.verify(token)


async def test_a_replacement_ends_a_rotation_that_was_under_way(here: Installation, clock: HandClock) -> None:
    await _move(here, begin=True)
    clock.advance(hours=1)
    await _move(here)
    await _replace(here)
    assert sorted((await _states(here)).values()) == ["active", "retired", "retired"]
    assert await _move(here) == Moves((), ())


async def test_keys_that_nobody_can_open_any_more_are_replaced_as_well(here: Installation) -> None:
    await here.rows("update tenantry.signing_keys set sealed_private = 'x' returning kid")
    await _replace(here)
    ring = _ring(here)
    await ring.load()
    assert await ring.verify(ring.issue(CLAIMS)[0])


# killed half way

Step = Callable[[Installation], Awaitable[Moves]]


class _Doom:
    """Ends a connection's server process just before a statement with a certain number reaches it."""

    def __init__(self, patch: pytest.MonkeyPatch, url: str) -> None:
        self._url, self.at, self.seen = url, 0, 0
        for name in ("execute", "fetch", "fetchrow", "fetchval"):
            patch.setattr(asyncpg.Connection, name, self._before(getattr(asyncpg.Connection, name)))

    def _before(self, real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def asked(connection: asyncpg.Connection[Any], *args: Any, **kwargs: Any) -> Any:
            self.seen += 1
            if self.seen == self.at:
                await self._strike(connection.get_server_pid())
            return await real(connection, *args, **kwargs)

        return asked

    async def _strike(self, pid: int) -> None:
        owner: asyncpg.Connection[Any] = await asyncpg.connect(self._url)
        await owner.execute("select pg_terminate_backend($1, 5000)", pid)
        await owner.close()


@pytest.mark.parametrize(
    ("steps_before", "step", "after"),
    [
        (0, _begin, ["active", "next"]),
        (1, _begin, ["active", "retiring"]),
        (2, _begin, ["active", "retired"]),
        (1, _replace, ["active", "retired", "retired"]),
    ],
)
async def test_a_rotation_killed_anywhere_leaves_keys_that_work(
    here: Installation,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
    steps_before: int,
    step: Step,
    after: list[str],
) -> None:
    for _ in range(steps_before):
        await _begin(here)
        clock.advance(hours=1)
    before, doom = await _states(here), _Doom(monkeypatch, here.runtime.database.url)
    # the first statement only begins: nothing is lost with it, and it is said again on another connection
    for number in range(2, 50):
        doom.seen, doom.at = 0, number
        with contextlib.suppress(Unavailable):
            await step(here)
        met, doom.at = doom.seen >= number, 0
        ring = _ring(here)
        await ring.load()
        assert await ring.verify(ring.issue(CLAIMS)[0])
        if not met:
            break
        assert await _states(here) == before
    assert number > 5
    assert not met
    assert sorted((await _states(here)).values()) == after
