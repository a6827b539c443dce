"""A domain whose handlers do what handlers must not: what is left of it for the client to see is ours to decide."""

from __future__ import annotations

import asyncio

from tenantry.foundation.call import Call
from tenantry.foundation.data.sql import value
from tenantry.foundation.domain import Domain
from tenantry.foundation.logs import get_logger
from tenantry.foundation.permission import ANYONE, ONESELF
from tenantry.foundation.routes import Routes
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork, SystemWork

CANARY = "a secret sentence about the inside"
routes = Routes("misbehaving")
log = get_logger("tests.misbehaving")
sleep = value(bool, "select pg_sleep(20) is not null")
wrong_type = value(int, "select :number::integer")


class Given(Wire):
    """Something to be sent."""

    text: str


@routes.get("/trouble/raises", requires=ANYONE)
async def raises(call: Call) -> Given:
    """Raise what nobody expected."""
    raise RuntimeError(CANARY)


@routes.post("/trouble/writes", requires=ANYONE)
async def writes(call: Call, body: Given) -> Given:
    """Raise with the input in the sentence."""
    raise ValueError(f"{CANARY}: {body.text}")


@routes.get("/trouble/sleeps", requires=ANYONE)
async def sleeps(call: Call) -> None:
    """Ask the database for longer than it may take."""
    async with SystemWork(call, reason="a test") as work:
        await work.connection.execute("set local statement_timeout = '50ms'")
        await sleep(work)


@routes.get("/trouble/forever", requires=ANYONE)
async def forever(call: Call) -> None:
    """Never come back."""
    await asyncio.Event().wait()


@routes.get("/trouble/mistaken", requires=ANYONE)
async def mistaken(call: Call) -> None:
    """Give a statement what it does not take: a mistake of ours, whatever the driver calls it."""
    async with SystemWork(call, reason="a test") as work:
        await wrong_type(work, number="not a number")


@routes.get("/trouble/mine", requires=ONESELF)
async def mine(work: PersonWork) -> None:
    """Raise inside the transaction of a person."""
    raise RuntimeError(CANARY)


@routes.get("/trouble/talks", requires=ONESELF)
async def talks(call: Call) -> None:
    """Say something in the log before and after waiting for somebody else."""
    log.info("talked", step="first")
    await asyncio.sleep(0.05)
    log.info("talked", step="last")


domain = Domain(name="misbehaving", routes=routes)
