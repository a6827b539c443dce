"""Each verb about notices on its own: what it keeps, counts and refuses."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
from billing_kit import event, notice, sign, subscription

from tenantry.billing import actions, exchanges
from tenantry.billing.models import Begun, Told, Truth
from tenantry.billing.problems import NoticeApplied
from tenantry.billing.stripe import shapes
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.problems import Forbidden, NotFound
from tenantry.foundation.work import SystemWork, Work
from tenantry.testing import Installation


def _work(house: Installation) -> SystemWork:
    return SystemWork(Call(house.runtime, Actor("cli", name="a test"), "request-of-a-test"), reason="a test")


def _told() -> tuple[dict[str, Any], Told]:
    told = event("customer.subscription.updated", subscription("sub_1", "cus_1"))
    return told, msgspec.convert(told, Told)


async def _kept(house: Installation) -> dict[str, Any]:
    told, read = _told()
    async with _work(house) as work:
        assert await actions.keep_notice(work, told=read, payload=json.dumps(told))
    return told


async def test_keep_notice_says_whether_it_was_the_first(billing_house: Installation) -> None:
    _, read = _told()
    for first in (True, False):
        async with _work(billing_house) as work:
            assert await actions.keep_notice(work, told=read, payload="{}") is first


async def test_a_notice_and_its_job_are_kept_together_or_not_at_all(billing_house: Installation) -> None:
    told, read = _told()

    class Trouble(Exception):
        pass

    async def keep_and_fail() -> None:
        async with _work(billing_house) as work:
            await actions.keep_notice(work, told=read, payload="{}")
            raise Trouble

    with pytest.raises(Trouble):
        await keep_and_fail()
    assert not await billing_house.rows("select from tenantry.stripe_notices where id = $1", told["id"])
    assert not await billing_house.rows("select from tenantry.jobs where unique_key = $1", told["id"])


async def test_begin_notice_counts_attempts_and_takes_a_later_place_each_time(billing_house: Installation) -> None:
    told = await _kept(billing_house)
    places = []
    for _ in range(2):
        async with _work(billing_house) as work:
            begun = await actions.begin_notice(work, notice_id=told["id"])
            assert begun is not None
            places += [begun.number, begun.asked]
    assert places[0] == places[2] < places[1] < places[3]
    assert (await notice(billing_house, told))["attempts"] == 2
    async with _work(billing_house) as work:
        assert await actions.begin_notice(work, notice_id="evt_none") is None


async def _begun(house: Installation, told: dict[str, Any]) -> Begun:
    async with _work(house) as work:
        begun = await actions.begin_notice(work, notice_id=told["id"])
    assert begun is not None
    return begun


async def test_fail_notice_says_why_and_leaves_what_is_applied_alone(billing_house: Installation) -> None:
    told = await _kept(billing_house)
    for over, state in ((False, "waiting"), (True, "failed")):
        async with _work(billing_house) as work:
            await actions.fail_notice(work, notice_id=told["id"], why="no", over=over)
        row = await notice(billing_house, told)
        assert (row["state"], row["last_error"], row["handled_at"] is not None) == (state, "no", over)
    begun = await _begun(billing_house, told)
    async with _work(billing_house) as work:
        assert await actions.apply_truth(work, begun=begun, truth=None) == "overtaken"
        await actions.fail_notice(work, notice_id=told["id"], why="late", over=True)
    assert (await notice(billing_house, told))["state"] == "applied"


async def test_replay_notice_refuses_what_is_not_there_or_applied(billing_house: Installation) -> None:
    told = await _kept(billing_house)
    begun = await _begun(billing_house, told)
    with pytest.raises(NotFound):
        async with _work(billing_house) as work:
            await actions.replay_notice(work, notice_id="evt_none")
    async with _work(billing_house) as work:
        await actions.apply_truth(work, begun=begun, truth=None)
    with pytest.raises(NoticeApplied):
        async with _work(billing_house) as work:
            await actions.replay_notice(work, notice_id=told["id"])


async def test_of_two_attempts_at_one_notice_the_second_finds_it_applied(billing_house: Installation) -> None:
    told = await _kept(billing_house)
    first, second = await _begun(billing_house, told), await _begun(billing_house, told)
    customer = shapes.Customer("cus_of_nobody")

    async def apply(begun: Begun) -> str:
        async with _work(billing_house) as work:
            return await actions.apply_truth(work, begun=begun, truth=None)

    assert sorted(await asyncio.gather(apply(first), apply(second))) == ["overtaken", "same"]
    async with _work(billing_house) as work:
        truth = Truth(asked=second.asked, customer=customer)
        assert await actions.apply_truth(work, begun=second, truth=truth) == "same"


async def test_nobody_but_the_house_applies_or_asks(billing_house: Installation) -> None:
    stranger = Call(billing_house.runtime, NOBODY, "request-of-a-test")
    with pytest.raises(Forbidden):
        await exchanges.ask_truth(stranger, notice_id="evt_1")

    class NobodysWork(Work):
        def context(self) -> str:
            return "set local role tenantry_app"

    _, read = _told()
    with pytest.raises(Forbidden):
        async with NobodysWork(stranger) as work:
            await actions.keep_notice(work, told=read, payload="{}")  # type: ignore[arg-type]


async def test_take_notice_keeps_what_is_signed(billing_house: Installation) -> None:
    told, _ = _told()
    body = json.dumps(told).encode()
    call = Call(billing_house.runtime, NOBODY, "request-of-a-test")
    await exchanges.take_notice(call, body=body, signature=sign(body))
    assert (await notice(billing_house, told))["payload"] == body.decode()
