"""Closing and opening accounts through the front door, and the schedules that would run by themselves."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.work import SystemWork
from tenantry.testing import Client, Installation, Response
from tenantry.testing.installation import PASSWORD

CLOSURE = "/v1/users/me/closure"


async def close(person: Client, *, password: str = PASSWORD) -> Response:
    """Ask to close one's account."""
    return await person.post(CLOSURE, {"password": password})


async def reopen(person: Client, *, password: str = PASSWORD) -> Response:
    """Ask to open it again."""
    return await person.delete(CLOSURE, body={"password": password})


async def closed(house: Installation, email: str | None = None) -> Client:
    """A person who has just closed their account."""
    person = await house.person(email)
    answer = await close(person)
    assert answer.status == 200, answer
    return person


async def sign_in(house: Installation, email: str) -> Response:
    """What signing in with the right password answers."""
    return await house.client.post("/v1/auth/login", {"email": email, "password": PASSWORD})


async def on_schedule(house: Installation, kind: str) -> None:
    """Let a schedule's tick come, and do all that it asks for."""
    call = Call(house.runtime, Actor("job"), "a-tick-of-a-test")
    async with SystemWork(call, reason="a test") as work:
        work.enqueue(NewJob(kind))
    await house.drain_jobs()


async def purge(house: Installation) -> None:
    """Let the hour of the purge come."""
    await on_schedule(house, "accounts.ask_for_purges")


def id_of(person: Client) -> UUID:
    """The id in the database of a signed-in person."""
    found = USER_ID.read(person.user_id)
    assert found is not None
    return found
