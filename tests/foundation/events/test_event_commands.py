"""`tenantry events` as an operator types it."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import asyncpg
import log_trial
import pytest
from log_kit import REGISTRY, TALLY, Looks, added, begun, put, runtime_on
from test_consumers import drain, tried_again
from typer.testing import CliRunner

from tenantry.entrypoints.cli import build
from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.foundation.data.ids import EVENT_ID
from tenantry.foundation.runtime import Runtime

Connection = asyncpg.Connection


@pytest.fixture
def tenantry(dsn: str) -> Any:
    fake = SimpleNamespace(registry=lambda: REGISTRY, equip=lambda: (runtime_on(dsn), REGISTRY))
    app = build(Assembly(lambda: fake))

    async def typed(*words: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, app, ["events", *words])

    return typed


async def test_consumers_are_listed_with_how_far_behind_they_are(
    tenantry: Any, runtime: Runtime, writer: Connection
) -> None:
    assert (await tenantry("consumers")).stdout == ""
    await begun(runtime)
    await put(writer, added(1, 2))
    shown = (await tenantry("consumers")).stdout.splitlines()
    assert [line.split(":")[0] for line in shown] == ["log_trial.beside 1", "log_trial.late 1", "log_trial.tally 1"]
    assert "live, 2 events and" in shown[2]
    told = json.loads((await tenantry("consumers", "--json")).stdout)
    assert {one["name"]: one["behind"] for one in told} == {
        "log_trial.beside": 2,
        "log_trial.late": 0,
        "log_trial.tally": 2,
    }


async def test_a_stuck_consumer_is_shown_and_helped_past_its_event(
    tenantry: Any, runtime: Runtime, writer: Connection, looks: Looks, behaviour: log_trial.Behaviour
) -> None:
    behaviour.poison = {1}
    await put(writer, added(0, 1, 2))
    with pytest.raises(ValueError, match="poison"):
        await drain(runtime)
    event = EVENT_ID.text((await looks.place())["failed_event"])
    shown = (await tenantry("consumers")).stdout
    assert f"failed 1 times on {event}: ValueError at" in shown
    answer = await tenantry("skip", TALLY.name)
    assert answer.stdout == f"log_trial.tally is past the event {event}\n"
    await drain(runtime)
    assert await looks.tally() == [0, 2]
    assert f"passed over: {event}" in (await tenantry("consumers")).stdout
    assert "not stuck" in str((await tenantry("skip", TALLY.name)).exception)


async def test_a_consumer_is_paused_and_resumed(
    tenantry: Any, runtime: Runtime, writer: Connection, looks: Looks
) -> None:
    await begun(runtime)
    await put(writer, added(1))
    assert (await tenantry("pause", TALLY.name)).stdout == "log_trial.tally is paused\n"
    await drain(runtime)
    assert "log_trial.tally 1: paused, 1 events" in (await tenantry("consumers")).stdout
    assert await looks.tally() == []
    assert json.loads((await tenantry("resume", TALLY.name, "--json")).stdout)["became"] == "running"
    await drain(runtime)
    assert await looks.tally() == [1]
    assert "No consumer of this name" in str((await tenantry("pause", "nobody.knows")).exception)


async def test_a_rebuild_is_ordered_and_given_up(
    tenantry: Any, runtime: Runtime, writer: Connection, looks: Looks
) -> None:
    await begun(runtime)
    await put(writer, added(1))
    assert (await tenantry("rebuild", TALLY.name)).stdout == "log_trial.tally is rebuilding\n"
    assert "log_trial.tally 2: building" in (await tenantry("consumers")).stdout
    assert (await tenantry("rebuild", TALLY.name, "--cancel")).stdout == "log_trial.tally is as it was\n"
    await tried_again(looks.dsn)
    await drain(runtime)
    rows = await looks("select generation, state from tenantry.consumers where name = $1", TALLY.name)
    assert [tuple(row) for row in rows] == [(1, "live")]
