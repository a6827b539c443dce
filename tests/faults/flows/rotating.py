"""Rotating the signing keys while requests go on: nobody is refused, one key is active, the next one completes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from faults.app import LOOK_AGAIN, Stage
from faults.flow import Flow, Told
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.problems import Unavailable
from tenantry.foundation.security.succession import move_along
from tenantry.foundation.work import SystemWork
from tenantry.testing import Client, Response

from .people import somebody

COMMAND = ("tokens", "rotate-keys")
STATES = "select kid, state from tenantry.signing_keys order by created_at, kid"
ACTIVE = "select count(*) from tenantry.signing_keys where state = 'active'"
TIME_PASSES = "update tenantry.signing_keys set changed_at = changed_at - interval '1 hour' returning kid"


@dataclass(frozen=True)
class Seen:
    """What one round of a visitor was answered: its token, its refresh, the token it got; and how many keys sign."""

    before: int
    refreshed: int
    after: int
    active: int

    def is_nothing(self) -> bool:
        """Whether nobody could tell a rotation by it; 503 says that the database was killed."""
        return self.active == 1 and {self.before, self.refreshed, self.after} <= {200, 503}

    def is_mended(self) -> bool:
        """Whether a token of a replaced key may have been refused, and no other."""
        healthy = {200, 503}
        return self.active == 1 and self.refreshed in healthy and (self.refreshed == 503 or self.after in healthy)


Judged = Callable[[Seen], bool]
Ask = Callable[[Stage, "Visitor"], Awaitable[Response]]
Holds = Callable[[Told["Visitor"]], Awaitable[None]]
VISITED = frozenset({"+ turns", "+ event accounts.session_refreshed"})


@dataclass
class Visitor:
    """A device that asks and refreshes all the time, at a process that reads the keys all the time."""

    stage: Stage
    device: Client
    active: str
    kids: frozenset[str]
    rounds: list[Seen] = field(default_factory=list)

    async def keep_asking(self, leaving: asyncio.Event) -> None:
        """Write down round after round."""
        while not leaving.is_set():
            self.rounds.append(await self.round())
            await asyncio.sleep(LOOK_AGAIN)

    async def round(self) -> Seen:
        """Ask, refresh and ask again."""
        with suppress(Unavailable):  # the database was killed, and is asked again in the next round
            await self.stage.behind.runtime.keys.load()
        before, refreshed, after = await self._ask(), await self._refresh(), await self._ask()
        return Seen(before, refreshed, after, await self.stage.value(ACTIVE))

    async def _ask(self) -> int:
        return (await self.device.get("/v1/users/me")).status

    async def _refresh(self) -> int:
        body = {"refresh_token": self.device.tokens["refresh_token"]}
        answer = await self.stage.behind.client.post("/v1/auth/refresh", body)
        if answer.status == 200:
            self.device.tokens.update(answer.json)
        return answer.status


async def _states(stage: Stage) -> dict[str, str]:
    return dict(await stage.rows(STATES))


def _after(steps: int) -> Callable[[Stage], Awaitable[Visitor]]:
    """A visitor of keys that went so far in a rotation, and are due for the next step."""

    async def prepare(stage: Stage) -> Visitor:
        await _end_rotation(stage)
        for _ in range(steps):
            await _move(stage, begin=True)
            await stage.rows(TIME_PASSES)
        await stage.behind.runtime.keys.load()
        states = await _states(stage)
        (active,) = [kid for kid, state in states.items() if state == "active"]
        return Visitor(stage, await somebody(stage), active, frozenset(states))

    return prepare


async def _end_rotation(stage: Stage) -> None:
    """Take the steps that the last visit left."""
    while {"next", "retiring"} & set((await _states(stage)).values()):
        await stage.rows(TIME_PASSES)
        await _move(stage, begin=False)


async def _move(stage: Stage, *, begin: bool) -> None:
    call = Call(stage.behind.runtime, Actor("cli", name="a test"), "request-of-a-test")
    async with SystemWork(call, reason="a test") as work:
        await move_along(work, begin=begin)


async def _rotate(stage: Stage, visitor: Visitor) -> Response:
    async with _visited(visitor):
        return await stage.typed(*COMMAND)


async def _replace(stage: Stage, visitor: Visitor) -> Response:
    async with _visited(visitor):
        return await stage.typed(*COMMAND, "--now", "--yes")


@asynccontextmanager
async def _visited(visitor: Visitor) -> AsyncIterator[None]:
    leaving = asyncio.Event()
    asking = asyncio.create_task(visitor.keep_asking(leaving))
    try:
        yield
    finally:
        # not cancelled: it would lose a refresh token that it was about to be given
        leaving.set()
        await asking


async def _judged(visitor: Visitor, fine: Judged) -> None:
    assert visitor.rounds
    last = await visitor.round()
    assert 503 not in (last.before, last.refreshed, last.after), last
    noticed = [seen for seen in (*visitor.rounds, last) if not fine(seen)]
    assert not noticed, noticed


def _ends_with(*allowed: tuple[str, ...]) -> Callable[[Told[Visitor]], Awaitable[None]]:
    async def holds(told: Told[Visitor]) -> None:
        states = await _states(told.stage)
        # retired ones of earlier visits stay for ever
        now = sorted(state for kid, state in states.items() if state != "retired" or kid == told.subject.active)
        assert tuple(now) in allowed, now
        await _judged(told.subject, Seen.is_nothing)

    return holds


async def _nothing_but_a_new_key_counts(told: Told[Visitor]) -> None:
    states, visitor = await _states(told.stage), told.subject
    assert {states[kid] for kid in visitor.kids} == {"retired"}
    await _judged(visitor, Seen.is_mended)


def _flow(name: str, changes: tuple[str, ...], *, after: int, ask: Ask, holds: Holds) -> Flow[Visitor]:
    return Flow(name, changes, _after(after), ask, holds, beside=VISITED, by_command=True)


ROTATING = (
    _flow("beginning a rotation", ("+ next keys",), after=0, ask=_rotate, holds=_ends_with(("active", "next"))),
    _flow(
        "promoting the next key",
        ("- next keys", "+ retiring keys"),
        after=1,
        ask=_rotate,
        holds=_ends_with(("active", "retiring")),
    ),
    # asked for again after it was done, it begins the next rotation
    _flow(
        "retiring the last key",
        ("- retiring keys", "+ retired keys"),
        after=2,
        ask=_rotate,
        holds=_ends_with(("active",), ("active", "next")),
    ),
    _flow("replacing a stolen key", ("+ retired keys",), after=0, ask=_replace, holds=_nothing_but_a_new_key_counts),
)
