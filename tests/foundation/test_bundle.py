"""The bundle: all that a Work gathered goes in with one statement, whatever its shape, and a part that fails alone
takes its own with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tenantry.foundation.action import action
from tenantry.foundation.bundle import PARTS, statement
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.events.details import Details, digest_of
from tenantry.foundation.events.event import Audited, Event
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.work import SystemWork, Work
from tenantry.testing import Installation


class DoorPainted(Event):
    """A door got another colour."""

    kind = "bundle_trial.door_painted"
    audited = Audited("bundle_trial:door:painted", target="door_id", shows=("colour",))
    door_id: UUID
    colour: str


class DoorSlammed(Event):
    """A door was slammed, which nobody audits."""

    kind = "bundle_trial.door_slammed"
    door_id: UUID


@action(requires=ANYONE, records=(DoorPainted, DoorSlammed))
async def paint(work: Work, *, door_id: UUID, was: str, colour: str, painter: str | None = None) -> None:
    """Paint a door."""
    details = Details({"painter": painter}) if painter else None
    work.record(DoorPainted(door_id=door_id, colour=colour), was={"colour": was}, details=details)
    work.enqueue(NewJob("bundle_trial.dry"))


@action(requires=ANYONE, records=DoorSlammed)
async def slam(work: Work, *, door_id: UUID) -> None:
    """Slam a door."""
    work.record(DoorSlammed(door_id=door_id))


def _working(house: Installation, **where: str) -> SystemWork:
    return SystemWork(
        Call(house.runtime, Actor("cli", name="a painter"), "request-of-a-test", **where), reason="a test"
    )


@contextmanager
def _sent(connection: asyncpg.Connection[Any]) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(record: Any) -> None:
        # the driver asks a new connection once what its types are
        if "typeinfo" not in record.query and "set_config" not in record.query:
            sent.append(record.query)

    connection.add_query_logger(note)
    try:
        yield sent
    finally:
        connection.remove_query_logger(note)


async def _found(house: Installation, door_id: UUID) -> dict[str, list[asyncpg.Record]]:
    events = await house.rows("select * from tenantry.events where payload ->> 'door_id' = $1", str(door_id))
    ids = [event["public_id"] for event in events]
    return {
        "events": events,
        "audit": await house.rows("select * from tenantry.audit_log where target_id = $1", door_id),
        "details": await house.rows("select * from tenantry.details where row_id = any ($1) order by about", ids),
    }


async def test_an_audited_event_stands_in_three_tables_under_one_id(installation: Installation) -> None:
    door = new_id()
    async with _working(installation, source="203.0.113.7", agent="Brush/1.0") as work:
        await paint(work, door_id=door, was="red", colour="blue", painter="Ada")
    found = await _found(installation, door)
    [event], [row], (actor, subject) = found["events"], found["audit"], found["details"]
    assert event["public_id"] == row["id"] == actor["row_id"] == subject["row_id"]
    assert (row["action"], row["outcome"], row["target_kind"]) == ("bundle_trial:door:painted", "done", "door")
    assert (row["actor_kind"], row["actor_name"], row["request_id"]) == ("cli", "a painter", "request-of-a-test")
    assert [json.loads(row[when]) for when in ("before", "after")] == [{"colour": "red"}, {"colour": "blue"}]
    assert json.loads(actor["named"]) == {"address": "203.0.113.7", "user_agent": "Brush/1.0"}
    assert json.loads(subject["named"]) == {"painter": "Ada"}
    assert event["digest"] == row["subject_digest"] == digest_of(subject["salt"], '{"painter":"Ada"}')
    assert row["actor_digest"] not in (None, row["subject_digest"])


async def test_an_event_that_nobody_audits_leaves_an_event_alone(installation: Installation) -> None:
    door = new_id()
    async with _working(installation, source="203.0.113.7") as work:
        await slam(work, door_id=door)
    found = await _found(installation, door)
    assert [len(found[part]) for part in ("events", "audit", "details")] == [1, 0, 0]


@pytest.mark.parametrize("doors", [1, 2, 30])
async def test_however_much_was_gathered_it_goes_in_with_one_statement(installation: Installation, doors: int) -> None:
    painted = [new_id() for _ in range(doors)]
    async with _working(installation, source="203.0.113.7") as work:
        with _sent(work.connection) as sent:
            for door in painted:
                await paint(work, door_id=door, was="red", colour="blue", painter="Ada")
                await slam(work, door_id=door)
            assert not sent
            await work._bundle.write(work.connection)
            await asyncio.sleep(0)  # the driver tells its loggers a moment later
            assert len(sent) == 1
            work._bundle.cut((0,) * len(PARTS))
    found = [await _found(installation, door) for door in painted]
    assert {(len(each["events"]), len(each["audit"]), len(each["details"])) for each in found} == {(2, 1, 2)}
    [jobs] = await installation.rows("select count(*) from tenantry.jobs where kind = 'bundle_trial.dry'")
    assert jobs["count"] == doors


async def test_what_fails_apart_leaves_neither_audit_row_nor_details(installation: Installation) -> None:
    stands, falls = new_id(), new_id()
    async with _working(installation, source="203.0.113.7") as work:
        await paint(work, door_id=stands, was="red", colour="blue", painter="Ada")
        with pytest.raises(ZeroDivisionError):  # noqa: PT012  (a part is a block)
            async with work.apart():
                await paint(work, door_id=falls, was="red", colour="blue", painter="Ada")
                raise ZeroDivisionError
    assert [len(rows) for rows in (await _found(installation, stands)).values()] == [1, 1, 2]
    assert [len(rows) for rows in (await _found(installation, falls)).values()] == [0, 0, 0]
    [jobs] = await installation.rows("select count(*) from tenantry.jobs where kind = 'bundle_trial.dry'")
    assert jobs["count"] == 1


async def test_what_is_rolled_back_was_never_audited(installation: Installation) -> None:
    door = new_id()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  (a transaction is a block)
        async with _working(installation) as work:
            await paint(work, door_id=door, was="red", colour="blue")
            raise ZeroDivisionError
    assert not await installation.rows("select from tenantry.audit_log where target_id = $1", door)


def test_a_shape_has_one_text_so_that_it_is_prepared_once() -> None:
    shape = (1,) + (0,) * (len(PARTS) - 1)
    assert statement(shape) is statement(shape)
    assert "with " not in statement(shape)
