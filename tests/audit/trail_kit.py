"""Looking into the audit log in tests: the rows of a request, and what stands beside them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import asyncpg

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.work import SystemWork
from tenantry.testing import Client, Installation, Response

OF_REQUEST = """
    select audit_log.*, place.named as whereabouts, said.named as said
      from tenantry.audit_log
      left join tenantry.details as place on place.row_id = audit_log.id and place.about = 'actor'
      left join tenantry.details as said on said.row_id = audit_log.id and said.about = 'subject'
     where audit_log.request_id = $1
     order by audit_log.tx, audit_log.id
"""


def as_house() -> Actor:
    """The house, as a command acts."""
    return Actor("cli", name="a test")


def house_call(house: Installation, request_id: str = "a-request-of-a-test") -> Call:
    """A call of the house."""
    return Call(house.runtime, as_house(), request_id)


def user_id(person: Client) -> UUID:
    """The id in the database of a signed-in person."""
    found = USER_ID.read(person.user_id)
    assert found is not None
    return found


def org_id(text: str) -> UUID:
    """The id in the database of an organization."""
    found = ORG_ID.read(text)
    assert found is not None
    return found


async def rows_of(house: Installation, answer: Response | str) -> list[asyncpg.Record]:
    """What a request left in the audit log."""
    request_id = answer if isinstance(answer, str) else answer.headers["x-request-id"]
    return await house.rows(OF_REQUEST, request_id)


def place_of(row: asyncpg.Record) -> dict[str, Any]:
    """Where the actor of a row was."""
    found: dict[str, Any] = json.loads(row["whereabouts"] or "{}")
    return found


async def on_schedule(house: Installation, kind: str) -> None:
    """Let a schedule's tick come, and do all that it asks for."""
    async with SystemWork(house_call(house), reason="a test's tick") as work:
        work.enqueue(NewJob(kind))
    await house.drain_jobs()
