"""Payloads of every age: read as the event is now, by consumers, readers and the jobs that listen to it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import log_trial
import msgspec
import pytest
from log_kit import Looks, runtime_on, writing

from tenantry.foundation.events.event import Event, Upcast
from tenantry.foundation.events.versions import TooNew, Unreadable, read_payload
from tenantry.foundation.jobs.handler import Job, collect, on
from tenantry.foundation.jobs.worker import drain_jobs


class Gap(Event, frozen=True):
    version = 3
    upcasts: ClassVar[Mapping[int, Upcast]] = {1: lambda old: old}
    n: int


def test_a_version_above_ones_own_is_too_new_and_a_missing_step_says_which() -> None:
    with pytest.raises(TooNew, match="version 4, and this release knows 3"):
        read_payload(log_trial.Renamed, 4, "{}")
    with pytest.raises(Unreadable, match="how version 2 becomes 3"):
        read_payload(Gap, 1, '{"n": 1}')


@pytest.mark.parametrize("payload", ["{", '{"name": "secret value", "length": "no"}', "[]", "null"])
def test_what_cannot_be_read_is_told_without_its_values(payload: str) -> None:
    with pytest.raises(Unreadable) as told:
        read_payload(log_trial.Renamed, 3, payload)
    assert "secret" not in str(told.value)
    assert told.value.__cause__ is None


heard: list[Event] = []


@on(log_trial.Renamed)
async def hear(job: Job, event: log_trial.Renamed) -> None:
    """Hear of it."""
    heard.append(event)


ASK = """
    insert into tenantry.jobs (id, kind, version, args, request_id, asked_at)
    values (gen_random_uuid(), $1, $2, $3::text::jsonb, 'req', tenantry.now() - $4 * interval '1 hour')
"""


@pytest.mark.parametrize(("version", "args"), [(1, {"title": "Ada"}), (2, {"name": "Ada"})])
async def test_a_job_that_waited_since_an_older_release_gets_the_event_as_it_is_now(
    dsn: str, version: int, args: dict[str, Any]
) -> None:
    heard.clear()
    handlers = collect(sys.modules[__name__])
    async with writing(dsn) as connection:
        await connection.execute(ASK, handlers[0].kind, version, msgspec.json.encode(args).decode(), 0.0)
    runtime = runtime_on(dsn)
    assert await drain_jobs(runtime, handlers) == 1
    runtime.database.close()
    assert heard == [log_trial.Renamed(name="Ada", length=3)]


@pytest.mark.parametrize(
    ("version", "hours", "left"),
    [(4, 0.0, "waits"), (4, 2.0, "no handler for this version"), (2, 0.0, "its arguments do not fit its kind")],
)
async def test_a_job_of_a_later_release_waits_for_it_and_one_that_says_nothing_is_dead(
    dsn: str, looks: Looks, version: int, hours: float, left: str
) -> None:
    handlers = collect(sys.modules[__name__])
    async with writing(dsn) as connection:
        await connection.execute(ASK, handlers[0].kind, version, '{"name": 1}', hours)
    runtime = runtime_on(dsn)
    await drain_jobs(runtime, handlers, until_idle=False)
    runtime.database.close()
    dead = await looks("select reason from tenantry.dead_letters")
    assert [row["reason"] for row in dead] == ([] if left == "waits" else [left])
    assert len(await looks("select from tenantry.jobs")) == (left == "waits")
