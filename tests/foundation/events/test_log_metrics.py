"""What an operator sees of the log: how far behind consumers are, what they fail on, what holds the horizon back."""

from __future__ import annotations

import asyncpg
import log_trial
import pytest
from log_kit import BESIDE, CONSUMERS, TALLY, Looks, added, begun, put, work_on, writing
from prometheus_client import REGISTRY as METRICS
from test_consumers import drain, followed, tried_again

from patience import until
from tenantry.foundation.events.following import Rhythm
from tenantry.foundation.events.measuring import held_back_by, measure
from tenantry.foundation.events.steering import rebuild
from tenantry.foundation.events.stepping import step
from tenantry.foundation.runtime import Runtime

Connection = asyncpg.Connection


def gauge(name: str, consumer: str | None = None) -> float:
    found = METRICS.get_sample_value(f"tenantry_{name}", {"consumer": consumer} if consumer else {})
    assert found is not None
    return found


async def measured(runtime: Runtime) -> None:
    async with work_on(runtime, reading=True) as work:
        await measure(work, CONSUMERS.values())


async def test_how_far_each_consumer_is_behind_is_measured(runtime: Runtime, writer: Connection, looks: Looks) -> None:
    await put(writer, added(1, 2, 3))
    await put(writer, ["{}"] * 5, kind="log_trial.unknown")
    await begun(runtime)
    await measured(runtime)
    assert gauge("consumer_events_behind", TALLY.name) == 3
    assert 0 < gauge("consumer_lag_seconds", TALLY.name) < 10
    assert gauge("consumer_rebuilding", TALLY.name) == -1
    done = METRICS.get_sample_value("tenantry_consumer_events_total", {"consumer": TALLY.name}) or 0
    await drain(runtime)
    async with work_on(runtime) as work:
        await rebuild(work, CONSUMERS.values(), TALLY.name)
    await measured(runtime)
    assert gauge("consumer_events_behind", TALLY.name) == 0
    assert gauge("consumer_lag_seconds", TALLY.name) == 0
    assert gauge("consumer_rebuilding", TALLY.name) == 3
    assert METRICS.get_sample_value("tenantry_consumer_events_total", {"consumer": TALLY.name}) == done + 3


async def test_a_stuck_consumer_shows_and_others_do_not(
    runtime: Runtime, writer: Connection, looks: Looks, behaviour: log_trial.Behaviour
) -> None:
    behaviour.poison = {1}
    await put(writer, added(1))
    for _ in range(3):
        with pytest.raises(ValueError, match="poison"):
            await drain(runtime)
        await tried_again(looks.dsn)
    await step(runtime, BESIDE, 1)
    await measured(runtime)
    assert gauge("consumer_stuck", TALLY.name) == 1
    assert gauge("consumer_stuck", BESIDE.name) == 0
    behaviour.poison = set()
    await drain(runtime)
    await measured(runtime)
    assert gauge("consumer_stuck", TALLY.name) == 0


async def test_what_holds_the_horizon_back_is_measured(dsn: str, runtime: Runtime, writer: Connection) -> None:
    async with writing(dsn) as slow:
        await slow.execute("begin; select pg_current_xact_id()")
        for n in range(5):
            await put(writer, added(n))

        async def old() -> bool:
            async with work_on(runtime, reading=True) as work:
                found = await held_back_by(work)
            return found.oldest > 0.3 and found.begun_since >= 5

        await until(old)
        await measured(runtime)
        assert gauge("oldest_snapshot_seconds") > 0.3
        assert gauge("event_log_horizon_lag") >= 5
    await measured(runtime)
    assert gauge("oldest_snapshot_seconds") < 0.3 or gauge("event_log_horizon_lag") == 0


async def test_whoever_serves_consumers_measures_by_and_by(runtime: Runtime, writer: Connection) -> None:
    await begun(runtime)
    await put(writer, added(1))
    async with followed(runtime, rhythm=Rhythm(poll=300, blind_poll=300, measure=0.05)):
        await until(lambda: METRICS.get_sample_value("tenantry_consumer_lag_seconds", {"consumer": TALLY.name}) == 0)
