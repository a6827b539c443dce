"""What an organization is told arrives under one id, wherever who tells it is killed, or its connection, or PostgreSQL.

And what is under way when something else happens: an answer that nobody wrote down, a wait that a death falls into, an
endpoint that is disabled, deleted or given another secret.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tenantry.foundation.domain import Registry
from tenantry.testing import Databases
from tenantry.webhooks.sending.pace import SCHEDULE
from webhooks.receiving import Heard

from .app import PATIENCE, eventually, staged
from .conftest import Mortal
from .crash_points import NeverReached, Point, Victim, cut, enumerate_points, sample, visit
from .subscribing import COME_NOW, TYPE, Inside, Subscriber, Subscribing, Telling, Way, subscribing

SHARE = 0.04
RUNS = 5
"""Runs of which one must show every step."""
STEP = "select state, epoch, tx, id, careful_until, failures from tenantry.consumers"
CLAIM = "with free as ( select org_id, endpoint_id from tenantry.webhook_lanes"
LOCK = "select from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as mine (org_id, endpoint_id, hold) join"
DELIVERED = "select endpoint_id, delivered_at from tenantry.webhook_deliveries where event_id = $1"
LEFT = """
    select (select count(*) from tenantry.webhook_endpoints where id = $1)
           + (select count(*) from tenantry.webhook_lanes where endpoint_id = $1)
           + (select count(*) from tenantry.webhook_due where endpoint_id = $1)
           + (select count(*) from tenantry.webhook_deliveries where endpoint_id = $1)
           + (select count(*) from tenantry.webhook_attempts where endpoint_id = $1)
"""
FANNING_OUT = Way(
    STEP,
    (
        "with seen as materialized", "select org_id, id, events, payload_version",
        "insert into tenantry.webhook_lanes as lane", "with messages as materialized", "update tenantry.consumers",
        "commit",
    ),
    fanned_out=False,
)  # fmt: skip
CLAIMING = Way(CLAIM, ("select endpoint.org_id", "select due.org_id", "commit"))
RECORDING = Way(LOCK, ("with held as", "set holder = null", "commit"))
FAILING = Way(LOCK, ("with held as", "with changed as", "set holder = null", "commit"), answers=(500,))
WAYS = (FANNING_OUT, CLAIMING, RECORDING, FAILING)
Few = Callable[[Sequence[tuple[Way, Point]]], list[tuple[Way, Point]]]
_learned: dict[Way, list[Point]] = {}


@pytest.fixture
def few(request: pytest.FixtureRequest) -> Few:
    """Each point with --all-faults, else a few: each costs two starts of a worker."""
    if request.config.getoption("--all-faults"):
        return list

    def some(points: Sequence[tuple[Way, Point]]) -> list[tuple[Way, Point]]:
        chosen = set(map(id, sample([point for _, point in points], SHARE)))
        return [(way, point) for way, point in points if id(point) in chosen]

    return some


@pytest.fixture(scope="module")
async def place(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Subscribing]:
    """A place on the PostgreSQL of the session, which must not be killed."""
    async with _place(databases, registry, tmp_path_factory.mktemp("told")) as made:
        yield made


@pytest.fixture(scope="module")
async def mortal_place(
    mortal: Mortal, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Subscribing]:
    """A place on the PostgreSQL that may be killed."""
    databases = Databases(mortal.url)
    await databases.prepare()
    try:
        async with _place(databases, registry, tmp_path_factory.mktemp("told")) as made:
            yield made
    finally:
        await databases.forget()


@asynccontextmanager
async def _place(databases: Databases, registry: Registry, folder: Path) -> AsyncIterator[Subscribing]:
    async with staged(databases, registry, folder) as stage, subscribing(stage, registry, folder) as made:
        yield made


async def _tell(place: Subscribing, few: Few, victim: Victim | None = None) -> None:
    for way in WAYS:
        if way not in _learned:
            _learned[way] = await _learn(Telling(place, way))
    missed: list[str] = []
    chosen = few([(way, point) for way in WAYS for point in _learned[way]])
    for way, point in chosen:
        try:
            await visit(Telling(place, way, victim), point)
        except NeverReached as miss:
            missed.append(f"{point}\n  {miss}")
        except BaseException as error:
            error.add_note(f"at crash point {point}")
            raise
    await place.worker.kill()
    print(f"crash points held: {len(chosen) - len(missed)}/{len(chosen)}, never reached: {len(missed)}")
    # which connection prepares what, for instance, is chance
    assert 2 * len(missed) <= len(chosen), "\n".join(missed)


async def _learn(telling: Telling) -> list[Point]:
    """The points of a run in which every step was seen: of one transaction, which says the same each time.

    What is said more often is said of nothing: a sender also looks when there is nothing to send.
    """
    said: list[str] = []
    for _ in range(RUNS):
        found = [point for point in await enumerate_points(telling, by_turn=True) if point.turn == 1]
        said = [point.unit.sql for point in found]
        if all(any(step in sql for sql in said) for step in telling.way.steps):
            return found
    raise AssertionError(f"never was {telling.way.steps} seen whole: {said}")


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_an_event_arrives_under_one_id_wherever_the_worker_is_killed(place: Subscribing, few: Few) -> None:
    await _tell(place, few)


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_an_event_arrives_under_one_id_wherever_the_workers_connection_is_cut(
    place: Subscribing, few: Few
) -> None:
    await _tell(place, few, cut)


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_an_event_arrives_under_one_id_wherever_the_database_is_killed(
    mortal_place: Subscribing, mortal: Mortal, few: Few
) -> None:
    await _tell(mortal_place, few, mortal.kill)


@pytest.mark.faults
async def test_what_arrived_and_was_not_written_down_comes_again_under_its_id_with_a_newer_timestamp(
    place: Subscribing,
) -> None:
    subscriber = await place.subscribed(TYPE)
    event = await place.happens(subscriber)
    async with place.stage.proxy.window(watch=Inside(LOCK)) as window:
        window.kill_before(1, place.worker.kill)
        place.worker.start()
        assert await window.struck(PATIENCE)
    assert await place.attempts(event) == []
    [first] = place.heard(event)

    async def is_later() -> bool:
        return int(time.time()) > int(first.headers["webhook-timestamp"])

    await eventually(is_later, PATIENCE)
    await place.set_free()
    place.worker.start()
    await place.delivered(event)
    await place.worker.kill()
    await place.assert_told(subscriber, event)
    first, second = place.heard(event)
    assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
    assert second.headers["webhook-signature"] != first.headers["webhook-signature"]


@pytest.mark.faults
async def test_a_wait_between_two_attempts_goes_on_when_everything_is_killed_in_it(
    mortal_place: Subscribing, mortal: Mortal
) -> None:
    place = mortal_place
    subscriber = await place.subscribed(TYPE)
    place.receiver.answer(500, 500)
    event = await place.happens(subscriber)
    place.worker.start()
    for tries in (1, 2):
        await place.failed(event, tries)
        before = await place.stands(event)
        assert before is not None
        attempt = (await place.attempts(event))[-1]
        # of the schedule the place that is due, by how long it took to write that down longer
        assert 0.8 * SCHEDULE[tries] <= (before["due_at"] - attempt["at"]).total_seconds() < 1.2 * SCHEDULE[tries] + 8
        await asyncio.gather(place.worker.kill(), mortal.kill())
        place.worker.start()
        assert await place.stands(event) == before
    first_due = (await place.attempts(event))[1]["at"] - (await place.attempts(event))[0]["at"]
    assert first_due.total_seconds() >= 0.8 * SCHEDULE[1]
    await place.delivered(event, hurried=True)
    await place.worker.kill()
    await place.assert_told(subscriber, event, 500, 500)
    assert len(place.heard(event)) == 3


@asynccontextmanager
async def _in_flight(place: Subscribing, subscriber: Subscriber, status: int = 500) -> AsyncIterator[UUID]:
    """An event whose first attempt is under way in a worker, and how that is answered at the end."""
    held = asyncio.Event()

    async def hold(_: Heard) -> None:
        await held.wait()

    place.receiver.answer(status)
    place.receiver.meanwhile = hold
    try:
        event = await place.happens(subscriber)
        place.worker.start()
        await place.came(event)
        yield event
    finally:
        place.receiver.meanwhile = None
        held.set()


async def _witnessed(place: Subscribing, subscriber: Subscriber) -> UUID:
    """Something else happens, and an endpoint that was made just now is told it; the event's id."""
    witness = await place.endpoint(subscriber.owner, subscriber.org, TYPE)
    event = await place.happens(witness)
    await place.came(event)

    async def written() -> bool:
        rows = await place.stage.rows(DELIVERED, event)
        return [row["endpoint_id"] for row in rows if row["delivered_at"] is not None] == [witness.endpoint_id]

    await eventually(written, PATIENCE)
    assert len(await place.stage.rows(DELIVERED, event)) == len(place.heard(event)) == 1
    return event


@pytest.mark.faults
async def test_whose_lease_ended_while_it_sent_writes_down_only_what_it_sent_since(place: Subscribing) -> None:
    subscriber = await place.subscribed(TYPE)
    async with _in_flight(place, subscriber, 200) as event:
        await place.set_free()
        other = await place.happens(subscriber)
        await place.came(other)
        await place.came(event, 2)
    await place.delivered(event)
    await place.delivered(other)
    await place.worker.kill()
    assert len(place.heard(event)) == 2
    await place.assert_told(subscriber, event)
    await place.assert_told(subscriber, other)


@pytest.mark.faults
async def test_an_endpoint_that_is_disabled_in_flight_is_sent_nothing_until_it_is_enabled(place: Subscribing) -> None:
    subscriber = await place.subscribed(TYPE)
    async with _in_flight(place, subscriber) as event:
        await subscriber.put(enabled=False)
    await place.failed(event, 1)
    await place.stage.rows(COME_NOW)
    await _witnessed(place, subscriber)
    stands = await place.stands(event)
    assert stands is not None
    assert (stands["lane_due_at"], stands["tries"], len(place.heard(event))) == (None, 1, 1)
    await subscriber.put(enabled=True)
    await place.delivered(event)
    await place.worker.kill()
    await place.assert_told(subscriber, event, 500)


@pytest.mark.faults
async def test_an_endpoint_that_is_deleted_in_flight_is_never_sent_anything_again(place: Subscribing) -> None:
    subscriber = await place.subscribed(TYPE)
    async with _in_flight(place, subscriber) as event:
        assert (await subscriber.owner.delete(subscriber.path)).status == 204

    async def forgotten() -> bool:
        await place.stage.rows(COME_NOW)
        return bool(await place.stage.value(LEFT, subscriber.endpoint_id) == 0)

    await eventually(forgotten, PATIENCE)
    await _witnessed(place, subscriber)
    await place.worker.kill()
    assert len(place.heard(event)) == 1


@pytest.mark.faults
async def test_an_endpoint_that_is_rotated_in_flight_is_sent_the_next_attempt_with_both_signatures(
    place: Subscribing,
) -> None:
    subscriber = await place.subscribed(TYPE)
    async with _in_flight(place, subscriber) as event:
        newer = await subscriber.rotated()
    await place.failed(event, 1)
    await place.delivered(event, hurried=True)
    await place.worker.kill()
    first, second = place.heard(event)
    assert len(first.headers["webhook-signature"].split()) == 1
    assert len(second.headers["webhook-signature"].split()) == 2
    for secret in (subscriber.secret, newer):
        assert Webhook(secret).verify(second.body, second.headers) == second.json
    with pytest.raises(WebhookVerificationError):
        Webhook(newer).verify(first.body, first.headers)
    await place.assert_told(subscriber, event, 500)
