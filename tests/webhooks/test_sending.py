"""The sender: what is due is sent once, signed as the public library takes it, and tried again by schedule."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.utils import format_datetime

import pytest
from receiving import Receiver, told
from sending_kit import (
    Put,
    an_org,
    attempts,
    by_hand,
    delivery,
    lane,
    make_due,
    nothing_waits,
    put_endpoint,
    queue_events,
    receivers_of,
    waits,
)
from standardwebhooks import Webhook

from tenantry.foundation.data.ids import new_id
from tenantry.foundation.domain import Registry
from tenantry.foundation.security.sealing import place as place_of
from tenantry.testing import Databases, Installation
from tenantry.webhooks.sending import drain
from tenantry.webhooks.sending.pace import SCHEDULE


@pytest.fixture(scope="module")
async def place(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Installation, Receiver]]:
    folder = tmp_path_factory.mktemp("sending")
    async with databases.fresh() as url, receivers_of(url, folder, registry) as (house, [receiver]):
        yield house, receiver


@pytest.fixture
def house(place: tuple[Installation, Receiver]) -> Installation:
    return place[0]


@pytest.fixture
async def receiver(place: tuple[Installation, Receiver]) -> Receiver:
    house, receiver = place
    await nothing_waits(house, [receiver])
    return receiver


@pytest.fixture
async def put(house: Installation, receiver: Receiver) -> Put:
    return await put_endpoint(house, await an_org(house), receiver.url)


async def test_what_is_due_is_sent_once_and_the_public_library_takes_it(
    house: Installation, receiver: Receiver, put: Put
) -> None:
    [event] = await queue_events(house, put)
    assert await drain(house.runtime) == 1
    assert await drain(house.runtime) == 0
    [heard] = receiver.heard
    assert heard.id == told(event)
    assert Webhook(put.shown).verify(heard.body, heard.headers) == heard.json
    assert heard.headers["Content-Type"] == "application/json"
    seen = await delivery(house, event)
    assert seen["attempts"] == 1
    assert seen["delivered_at"] is not None
    assert seen["failed_at"] is None
    [attempt] = await attempts(house, put)
    assert (attempt["status"], attempt["number"], attempt["answer"], attempt["error"]) == (200, 1, "heard", None)
    stands = await lane(house, put)
    assert (stands["due_at"], stands["holder"], stands["failing_since"]) == (None, None, None)


async def test_an_attempt_that_fails_is_made_again_by_the_schedule_under_the_same_id(
    house: Installation, receiver: Receiver, put: Put
) -> None:
    receiver.always = (500, {})
    [event] = await queue_events(house, put)
    for tries, wait in enumerate(SCHEDULE[1:], start=1):
        assert await drain(house.runtime) == 1
        [left] = await waits(house, put)
        assert 0.8 * wait - 2 < left <= 1.2 * wait, tries
        assert (await delivery(house, event))["failed_at"] is None
        await make_due(house, put)
    assert await drain(house.runtime) == 1
    assert not await waits(house, put)
    seen = await delivery(house, event)
    assert seen["attempts"] == len(SCHEDULE) == 10
    assert seen["failed_at"] is not None
    assert receiver.ids == [told(event)] * 10
    assert [one["number"] for one in await attempts(house, put)] == list(range(1, 11))
    assert len({one.headers["traceparent"] for one in receiver.heard}) == 10
    assert len({one.headers["traceparent"].split("-")[1] for one in receiver.heard}) == 1


async def test_the_timestamp_is_that_of_the_attempt(house: Installation, receiver: Receiver, put: Put) -> None:
    receiver.answer(500)
    await queue_events(house, put)
    await drain(house.runtime)
    await asyncio.sleep(1.1)
    await make_due(house, put)
    await drain(house.runtime)
    first, second = receiver.heard
    assert int(first.headers["webhook-timestamp"]) < int(second.headers["webhook-timestamp"])
    assert Webhook(put.shown).verify(second.body, second.headers)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 503])
async def test_nothing_but_2xx_is_a_yes(house: Installation, receiver: Receiver, put: Put, status: int) -> None:
    receiver.answer(status, Location=receiver.url)
    await queue_events(house, put)
    assert await drain(house.runtime) == 1
    assert len(receiver.heard) == 1
    assert len(await waits(house, put)) == 1
    [attempt] = await attempts(house, put)
    assert attempt["status"] == status


async def test_retry_after_is_heeded_in_seconds_and_as_a_date(
    house: Installation, receiver: Receiver, put: Put
) -> None:
    receiver.answer(429, **{"Retry-After": "120"})
    await queue_events(house, put)
    await drain(house.runtime)
    [wait] = await waits(house, put)
    assert 115 < wait <= 145
    assert (await lane(house, put))["paused_until"] is not None
    await make_due(house, put)
    [row] = await house.rows("select tenantry.now() + interval '1 hour' as then")
    receiver.answer(503, **{"Retry-After": format_datetime(row["then"], usegmt=True)})
    await drain(house.runtime)
    [wait] = await waits(house, put)
    assert 3500 < wait <= 4400


async def test_whoever_asked_for_rest_is_sent_nothing_else_either(
    house: Installation, receiver: Receiver, put: Put
) -> None:
    receiver.answer(429, **{"Retry-After": "60"})
    await queue_events(house, put)
    await drain(house.runtime)
    await queue_events(house, put)
    assert await drain(house.runtime) == 0
    assert len(receiver.heard) == 1


async def test_an_endpoint_that_fails_in_a_row_is_left_alone_and_then_tried_with_one(
    house: Installation, receiver: Receiver, put: Put
) -> None:
    receiver.always = (500, {})
    await queue_events(house, put, 30)
    await drain(house.runtime)
    failed = len(receiver.heard)
    assert 5 <= failed < 15
    stands = await lane(house, put)
    assert stands["paused_until"] is not None
    assert stands["failures"] == failed
    receiver.always, receiver.most_at_once = (200, {}), 0
    receiver.meanwhile = lambda _: asyncio.sleep(0.05)
    await by_hand(house, "update tenantry.webhook_lanes set paused_until = null where endpoint_id = $1", put.id)
    await drain(house.runtime)
    waiting = receiver.heard[failed:]
    assert len(waiting) >= 15
    assert waiting[1].at - waiting[0].at > 0.04
    assert (await lane(house, put))["failures"] == 0


async def test_410_disables_at_once_and_what_waits_stays(house: Installation, receiver: Receiver, put: Put) -> None:
    receiver.answer(410)
    await queue_events(house, put)
    await drain(house.runtime)
    await queue_events(house, put)
    assert await drain(house.runtime) == 0
    assert len(receiver.heard) == 1
    [row] = await house.rows("select * from tenantry.webhook_endpoints where id = $1", put.id)
    assert row["disabled_why"] == "gone"
    assert len(await waits(house, put)) == 2
    await house.assert_recorded("webhooks.endpoint_disabled", endpoint_id=str(put.id), why="gone")


async def test_only_failures_for_five_days_disable(house: Installation, receiver: Receiver, put: Put) -> None:
    receiver.always = (500, {})
    await queue_events(house, put)
    await drain(house.runtime)
    stands = await lane(house, put)
    assert stands["failing_since"] is not None
    for hours, why in ((119, None), (121, "failing")):
        await by_hand(
            house,
            """update tenantry.webhook_lanes set failing_since = tenantry.now() - make_interval(hours => $2)
                where endpoint_id = $1""",
            put.id, hours,
        )  # fmt: skip
        await make_due(house, put)
        await drain(house.runtime)
        [row] = await house.rows("select * from tenantry.webhook_endpoints where id = $1", put.id)
        assert row["disabled_why"] == why


async def test_one_that_arrives_ends_the_failing(house: Installation, receiver: Receiver, put: Put) -> None:
    receiver.answer(500)
    await queue_events(house, put)
    await drain(house.runtime)
    await make_due(house, put)
    await drain(house.runtime)
    stands = await lane(house, put)
    assert (stands["failing_since"], stands["failures"], stands["due_at"]) == (None, 0, None)


async def test_where_the_order_counts_one_at_a_time_and_the_first_holds_up_the_rest(
    house: Installation, receiver: Receiver
) -> None:
    put = await put_endpoint(house, await an_org(house), receiver.url, ordered=True)
    events = await queue_events(house, put, 6)
    receiver.answer(200, 200, 500)
    await drain(house.runtime)
    assert receiver.ids == [told(one) for one in events[:3]]
    assert (await lane(house, put))["paused_until"] is not None
    await by_hand(house, "update tenantry.webhook_lanes set paused_until = null where endpoint_id = $1", put.id)
    await drain(house.runtime)
    assert receiver.ids == [told(one) for one in [*events[:3], *events[2:]]]
    assert receiver.most_at_once == 1


async def test_headers_of_its_own_are_sent_and_ours_win(house: Installation, receiver: Receiver) -> None:
    own = {"Authorization": "Bearer theirs", "X-Team": "a"}
    put = await put_endpoint(house, await an_org(house), receiver.url, headers=own)
    await queue_events(house, put)
    await drain(house.runtime)
    [heard] = receiver.heard
    assert own.items() <= heard.headers.items()


async def test_while_two_secrets_count_both_sign_and_one_that_has_ended_does_not(
    house: Installation, receiver: Receiver, put: Put
) -> None:
    newer, id = b"n" * 32, new_id()
    sealed = house.runtime.sealer.seal(newer, aad=place_of("webhook_secrets", "sealed_secret", org=put.org, row=id))
    await by_hand(
        house,
        "insert into tenantry.webhook_secrets (org_id, endpoint_id, id, sealed_secret) values ($1, $2, $3, $4)",
        put.org, put.id, id, sealed,
    )  # fmt: skip
    second = put._replace(secret=newer)
    await queue_events(house, put)
    await drain(house.runtime)
    await by_hand(
        house,
        "update tenantry.webhook_secrets set ends_at = tenantry.now() where endpoint_id = $1 and id <> $2",
        put.id, id,
    )  # fmt: skip
    await queue_events(house, put)
    await drain(house.runtime)
    both, new = receiver.heard
    assert len(both.headers["webhook-signature"].split()) == 2
    assert Webhook(put.shown).verify(both.body, both.headers)
    assert Webhook(second.shown).verify(both.body, both.headers)
    assert Webhook(second.shown).verify(new.body, new.headers)
    assert len(new.headers["webhook-signature"].split()) == 1


async def test_a_deleted_endpoint_is_sent_nothing(house: Installation, receiver: Receiver, put: Put) -> None:
    await queue_events(house, put)
    await by_hand(house, "update tenantry.webhook_endpoints set deleted_at = tenantry.now() where id = $1", put.id)
    assert await drain(house.runtime) == 0
    assert not receiver.heard
    assert (await lane(house, put))["due_at"] is None


async def test_what_cannot_be_reached_is_written_down_in_words_that_name_no_address(house: Installation) -> None:
    put = await put_endpoint(house, await an_org(house), "https://127.0.0.1:9/hook")
    await queue_events(house, put)
    await drain(house.runtime)
    [attempt] = await attempts(house, put)
    assert attempt["status"] is None
    assert attempt["error"].startswith("refused_address")
    assert "127.0.0.1" not in attempt["error"]
    assert len(await waits(house, put)) == 1


async def test_a_message_that_is_not_kept_any_more_has_failed(
    house: Installation, receiver: Receiver, put: Put
) -> None:
    [event] = await queue_events(house, put)
    await by_hand(house, "delete from tenantry.webhook_messages where event_id = $1", event)
    await drain(house.runtime)
    assert not receiver.heard
    assert (await delivery(house, event))["failed_at"] is not None


async def test_much_is_sent_side_by_side_and_each_once(house: Installation, receiver: Receiver, put: Put) -> None:
    receiver.meanwhile = lambda _: asyncio.sleep(0.01)
    events = await queue_events(house, put, 400)
    assert await drain(house.runtime) == 400
    assert sorted(receiver.ids) == sorted(told(one) for one in events)
    assert 4 < receiver.most_at_once <= 64


async def test_two_senders_share_the_endpoints_and_send_nothing_twice(house: Installation, receiver: Receiver) -> None:
    org = await an_org(house)
    puts = [await put_endpoint(house, org, receiver.url) for _ in range(8)]
    events = [event for put in puts for event in await queue_events(house, put, 25)]
    sent = await asyncio.gather(drain(house.runtime), drain(house.runtime))
    assert sum(sent) == 200
    assert sorted(receiver.ids) == sorted(told(one) for one in events)
