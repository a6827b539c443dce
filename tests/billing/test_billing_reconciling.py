"""Our rows are compared with Stripe's every night: what was never heard is found, mended, and found once only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from billing_kit import TinyStripe, customer_of, event, notice, subscription, subscription_row, tell
from stripe_kit import Till, apply_all, billing_with, deliver, owned, reconcile, till
from typer.testing import CliRunner

from tenantry.assemble import build_runtime
from tenantry.billing import actions, exchanges, metrics, queries, stripe
from tenantry.billing.exchanges import reconciling
from tenantry.billing.models import Truth
from tenantry.billing.problems import BillingOff, OtherAccount
from tenantry.entrypoints.cli import build
from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.work import SystemWork
from tenantry.settings import Reading
from tenantry.testing import Databases, Installation

EMPTY: dict[str, Any] = {"object": "list", "data": [], "has_more": False}


@pytest.fixture
async def shop() -> AsyncIterator[Till]:
    async with till() as running:
        yield running


@pytest.fixture
async def house(shop: Till, databases: Databases, registry: Registry, tmp_path: Path) -> AsyncIterator[Installation]:
    async with billing_with(shop, databases, registry, tmp_path) as running:
        yield running


def _call(house: Installation) -> Call:
    return Call(house.runtime, Actor("cli", name="a test"), "request-of-a-test")


async def _tenantry(house: Installation, *words: str) -> Any:
    """The command on the same database, in a process's own loop."""

    class Same(Assembly):
        def registry(self) -> Any:
            return house.registry

        def equip(self) -> Any:
            runtime = house.runtime
            reading = Reading(settings=runtime.settings, sections=runtime.sections, sources={}, unknown=())
            return build_runtime(reading, house.registry), house.registry

    return await asyncio.to_thread(CliRunner().invoke, build(Same(lambda: None)), ["billing", "reconcile", *words])


async def _subscribed(shop: Till, house: Installation, number: int = 1) -> tuple[list[str], list[dict[str, Any]]]:
    """So many organizations that are customers, each with a subscription that was heard of."""
    price, owner = await shop.price(1900), await house.person()
    customers = [await shop.customer() for _ in range(number)]
    for customer in customers:
        await owned(house, owner, customer)
    made = [await shop.subscribe(customer, price) for customer in customers]
    await deliver(house, shop.told())
    await apply_all(house)
    return customers, made


async def test_what_was_lost_is_found_mended_and_not_found_again(shop: Till, house: Installation) -> None:
    _, [made] = await _subscribed(shop, house)
    await shop.ask("POST", f"subscriptions/{made['id']}", cancel_at_period_end=True)
    await shop.local.advance(days=32)
    lost = shop.told()
    assert (await subscription_row(house, made["id"]))["status"] == "active"
    found = await reconcile(house)
    assert (found.differed, found.lost, found.unknown, found.unread) == (1, len(lost), 0, 0)
    row = await subscription_row(house, made["id"])
    assert (row["status"], row["cancel_at_period_end"]) == ("canceled", True)
    assert len(await house.recorded("billing.subscription_ended")) == 1
    again = await reconcile(house)
    assert (again.differed, again.lost) == (0, 0)


async def test_a_subscription_that_was_never_heard_of_is_found(shop: Till, house: Installation) -> None:
    customer = await shop.customer()
    org_id = await owned(house, await house.person(), customer)
    made = await shop.subscribe(customer, await shop.price(1900))
    found = await reconcile(house)
    # the subscription, and its invoice
    assert (found.looked, found.differed) == (1, 2)
    assert (await subscription_row(house, made["id"]))["org_id"] == org_id
    assert len(await house.recorded("billing.invoice_paid")) == 1


async def test_what_was_told_and_came_late_is_applied_once(shop: Till, house: Installation) -> None:
    customer = await shop.customer()
    await owned(house, await house.person(), customer)
    await shop.subscribe(customer, await shop.price(1900))
    late = shop.told()
    await reconcile(house)
    await deliver(house, late)
    await apply_all(house)
    kept = await house.rows("select id, state from tenantry.stripe_notices")
    assert {row["id"] for row in kept} == {one["id"] for one in late}
    assert {row["state"] for row in kept} == {"applied"}
    assert len(await house.recorded("billing.invoice_paid")) == 1


async def test_a_row_that_somebody_changed_is_mended_and_one_that_is_right_is_confirmed(
    shop: Till, house: Installation
) -> None:
    _, [wrong, right] = await _subscribed(shop, house, 2)
    before = (await subscription_row(house, right["id"]))["fetched"]
    await house.rows(
        "update tenantry.subscriptions set quantity = 999, status = 'past_due' where id = $1 returning id", wrong["id"]
    )
    found = await reconcile(house)
    assert (found.looked, found.differed, found.lost) == (2, 1, 0)
    row = await subscription_row(house, wrong["id"])
    assert (row["quantity"], row["status"]) == (2, "active")
    confirmed = await subscription_row(house, right["id"])
    assert confirmed["fetched"] > before


async def test_an_invoice_that_is_not_as_at_stripe_is_mended(shop: Till, house: Installation) -> None:
    await _subscribed(shop, house)
    await house.rows("update tenantry.invoices set amount_paid = 1 returning id")
    assert (await reconcile(house)).differed == 1
    [row] = await house.rows("select amount_paid from tenantry.invoices")
    assert row["amount_paid"] == 3800


async def test_whole_pages_are_compared_and_customers_of_nobody_counted(
    shop: Till, house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, made = await _subscribed(shop, house, 5)
    stranger = await shop.subscribe(await shop.customer(), await shop.price(900))
    monkeypatch.setattr(stripe.subscriptions, "A_PAGE", 2)
    monkeypatch.setattr(stripe.happenings, "A_PAGE", 3)
    await house.rows("update tenantry.subscriptions set quantity = 7 returning id")
    found = await reconcile(house)
    assert (found.looked, found.differed, found.unknown) == (6, 5, 1)
    assert await house.rows("select from tenantry.subscriptions where id = $1", stranger["id"]) == []
    assert {row["quantity"] for row in await house.rows("select quantity from tenantry.subscriptions")} == {2}
    orphans = await house.rows("select from tenantry.stripe_notices where state = 'orphaned'")
    assert len(orphans) == found.lost > 0
    assert len(made) == 5


async def test_what_stripe_has_no_more_is_asked_for_by_its_name_and_over(
    billed: Installation, tiny: TinyStripe
) -> None:
    customer = await customer_of(billed, await billed.team())
    for name in ("sub_1", "sub_2"):
        tiny.has(f"subscriptions/{name}", subscription(name, customer, created=1_700_000_000 + int(name[-1])))
        await tell(billed, event("customer.subscription.created", {"id": name, "customer": customer}))
    await billed.drain_jobs()
    tiny.has("events", EMPTY)
    tiny.has("subscriptions", EMPTY)
    tiny.things.pop("subscriptions/sub_1")
    # one that cannot be read keeps no other from being compared
    tiny.has("subscriptions/sub_2", subscription("sub_2", customer, status=["what"]))
    found = await reconcile(billed)
    assert (found.looked, found.differed, found.unread) == (2, 1, 1)
    assert (await subscription_row(billed, "sub_1"))["status"] == "canceled"
    assert (await subscription_row(billed, "sub_2"))["status"] == "active"


@pytest.mark.parametrize("bad", [{"status": ["what"]}, {"created": 10**18}, {"trial_end": 10**15}])
async def test_one_that_cannot_be_read_on_a_page_keeps_no_other_from_being_compared(
    billed: Installation, tiny: TinyStripe, bad: dict[str, Any]
) -> None:
    customer = await customer_of(billed, await billed.team())
    told = [subscription("sub_bad", customer, **bad), subscription("sub_1", customer)]
    tiny.has("subscriptions", EMPTY | {"data": told})
    tiny.has("events", EMPTY)
    found = await reconcile(billed)
    assert (found.looked, found.differed, found.unread) == (2, 1, 1)
    assert (await subscription_row(billed, "sub_1"))["status"] == "active"


async def test_what_is_done_stays_when_stripe_breaks_in_the_middle_and_the_rest_is_next(
    shop: Till, house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _subscribed(shop, house, 4)
    monkeypatch.setattr(stripe.subscriptions, "A_PAGE", 2)
    await house.rows("update tenantry.subscriptions set quantity = 7 returning id")
    begun = await exchanges.begin_round(_call(house))
    half = await exchanges.go_on(_call(house), round_=begun)
    shop.local.fail(500, times=2, method="GET", path="/v1/subscriptions")
    with pytest.raises(stripe.Unreachable):
        await exchanges.go_on(_call(house), round_=half)
    mended = await house.rows("select from tenantry.subscriptions where quantity = 2")
    assert (half.differed, len(mended)) == (2, 2)
    assert await house.rows("select from tenantry.stripe_reconciling") == []
    assert (await reconcile(house)).differed == 2


async def test_each_night_the_comparison_goes_on_in_a_job_after_the_other_until_it_is_over(
    shop: Till, house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _subscribed(shop, house, 3)
    await house.rows("update tenantry.subscriptions set quantity = 7 returning id")
    monkeypatch.setattr(stripe.subscriptions, "A_PAGE", 1)
    monkeypatch.setattr("tenantry.billing.jobs.reconciling.PAGES", 2)
    # the third page is not answered at first: what was compared before it is not compared again
    metrics.drift.labels("rows").set(99)
    await house.ask(NewJob("billing.reconcile", queue="billing"))
    await house.drain_jobs()
    assert metrics.drift.labels("rows")._value.get() == 3
    assert metrics.drift.labels("notices")._value.get() == 0
    assert metrics.reconciled_at._value.get() > 0
    [row] = await house.rows("select * from tenantry.stripe_reconciling")
    assert (row["looked"], row["differed"], row["lost"]) == (3, 3, 0)
    jobs = await house.rows("select from tenantry.dead_letters")
    assert jobs == []


async def test_a_job_that_stripe_stops_answering_leaves_what_it_reached_to_the_next(
    shop: Till, house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _subscribed(shop, house, 3)
    await house.rows("update tenantry.subscriptions set quantity = 7 returning id")
    monkeypatch.setattr(stripe.subscriptions, "A_PAGE", 1)
    real, pages = stripe.subscriptions_page, 0

    async def breaks(*given: Any, **more: Any) -> Any:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise stripe.Unreachable("APIError 500")
        return await real(*given, **more)

    monkeypatch.setattr(stripe, "subscriptions_page", breaks)
    await house.ask(NewJob("billing.reconcile", queue="billing"))
    await apply_all(house)
    [row] = await house.rows("select * from tenantry.stripe_reconciling")
    assert (row["looked"], row["differed"]) == (3, 3)
    assert pages == 4


async def test_the_next_comparison_asks_from_where_the_last_one_began(billed: Installation, tiny: TinyStripe) -> None:
    tiny.has("subscriptions", EMPTY)
    tiny.has("events", EMPTY)
    first = await reconcile(billed)
    assert first.began_at - first.since == reconciling.REMEMBERED
    second = await reconcile(billed)
    assert second.since == first.began_at - reconciling.OVERLAP
    everything = await reconcile(billed, whole=True)
    assert everything.since == everything.began_at - reconciling.REMEMBERED
    asked = [one for one in tiny.asked if one.path == "subscriptions"]
    assert [one.query.get("status") for one in asked] == [None, None, "all"]


async def test_a_notice_that_came_before_its_customer_was_known_is_applied_after_all(
    billed: Installation, tiny: TinyStripe
) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", "cus_soon"))
    told = event("customer.subscription.created", {"id": "sub_1", "customer": "cus_soon"})
    other = event("customer.subscription.created", {"id": "sub_2", "customer": "cus_of_nobody"})
    tiny.has("subscriptions/sub_2", subscription("sub_2", "cus_of_nobody"))
    for one in (told, other):
        await tell(billed, one)
    await billed.drain_jobs()
    team = await billed.team()
    customer = await customer_of(billed, team)
    await billed.rows(
        "update tenantry.stripe_customers set customer_id = 'cus_soon' where customer_id = $1 returning org_id",
        customer,
    )
    tiny.has("subscriptions", EMPTY)
    tiny.has("events", EMPTY)
    assert (await reconcile(billed)).replayed == 1
    assert (await notice(billed, told))["state"] == "applied"
    assert (await notice(billed, other))["state"] == "orphaned"
    assert (await subscription_row(billed, "sub_1"))["status"] == "active"
    # one that is about nobody whatever it says is not tried for ever
    await billed.rows(
        "update tenantry.stripe_notices set customer_id = 'cus_soon' where id = $1 returning id", other["id"]
    )
    assert [(await reconcile(billed)).replayed for _ in range(6)] == [1, 1, 1, 1, 0, 0]


async def test_an_operator_compares_and_is_told_what_was_found(shop: Till, house: Installation) -> None:
    _, [made] = await _subscribed(shop, house)
    await house.rows("update tenantry.subscriptions set quantity = 7 returning id")
    answer = await _tenantry(house, "--json")
    assert answer.exit_code == 0, answer.output
    expected = {"looked": 1, "differed": 1, "lost": 0, "replayed": 0, "unknown": 0, "unread": 0}
    assert json.loads(answer.stdout[answer.stdout.index("{") :]) == expected
    await shop.ask("DELETE", f"subscriptions/{made['id']}")
    answer = await _tenantry(house, "--all")
    assert "differed: 1" in answer.stdout, answer.output
    shop.local.fail(500, times=2)
    answer = await _tenantry(house)
    assert answer.exit_code == 1
    assert "stays" in str(answer.exception)


async def test_where_billing_is_off_nothing_is_compared(house_of_nothing: Installation) -> None:
    with pytest.raises(BillingOff):
        await exchanges.begin_round(_call(house_of_nothing))
    await house_of_nothing.ask(NewJob("billing.reconcile", queue="billing"))
    await house_of_nothing.drain_jobs()
    assert await house_of_nothing.rows("select from tenantry.dead_letters") == []
    assert await house_of_nothing.rows("select from tenantry.jobs where kind = 'billing.reconcile'") == []


@pytest.fixture
async def house_of_nothing(house: Installation) -> Installation:
    """An installation without Stripe."""
    off = {kind: _off(section) for kind, section in house.runtime.sections.items()}
    runtime = msgspec.structs.replace(house.runtime, sections=off)
    return Installation(runtime, house.registry, house._http, house.origin)


def _off(section: Any) -> Any:
    return (
        msgspec.structs.replace(section, stripe_secret_key=None) if hasattr(section, "stripe_secret_key") else section
    )


async def test_a_row_that_changed_since_it_was_compared_is_left_alone(shop: Till, house: Installation) -> None:
    """What was asked earlier is no news of a row that answers a later question."""
    _, [made] = await _subscribed(shop, house)
    call = _call(house)
    async with SystemWork(call, reason="a test") as work:
        early = await actions.take_place(work)
    told = await stripe.fetch_subscription(house.runtime, made["id"])
    await house.rows("update tenantry.subscriptions set fetched = $1, quantity = 5 returning id", early + 100)
    async with SystemWork(call, reason="a test") as work:
        compared = await actions.compare_subscriptions(work, told=[told], asked=early)
        changed = await actions.mend_rows(work, truth=Truth(asked=early, subscription=told))
    assert (compared.differing, compared.unknown, changed) == ([], 0, 0)
    row = await subscription_row(house, made["id"])
    assert (row["fetched"], row["quantity"]) == (early + 100, 5)


async def test_what_is_of_nobody_is_not_mended(shop: Till, house: Installation) -> None:
    made = await shop.subscribe(await shop.customer(), await shop.price(1900))
    told = await stripe.fetch_subscription(house.runtime, made["id"])
    async with SystemWork(_call(house), reason="a test") as work:
        assert await actions.mend_rows(work, truth=Truth(asked=1, subscription=told)) is None
        assert await actions.mend_rows(work, truth=Truth(asked=1, gone="sub_nobody")) is None
    assert await house.rows("select from tenantry.subscriptions") == []


async def test_the_verbs_of_a_round_keep_what_came_late_and_where_it_ended(shop: Till, house: Installation) -> None:
    """`hear_late`, `replay_orphans` and `end_round`, each in a work of its own."""
    _, [made] = await _subscribed(shop, house)
    begun = await exchanges.begin_round(_call(house))
    async with SystemWork(_call(house), reason="a test") as work:
        assert await actions.hear_late(work, told={}) == 0
        assert await actions.replay_orphans(work, most=10) == 0
        await actions.end_round(work, over=begun)
    async with SystemWork(_call(house), reason="a test") as work:
        await actions.end_round(work, over=msgspec.structs.replace(begun, began_at=begun.began_at - 500))
    [row] = await house.rows("select extract(epoch from heard_until)::bigint as until from tenantry.stripe_reconciling")
    assert row["until"] == begun.began_at
    assert isinstance((await subscription_row(house, made["id"]))["org_id"], UUID)


async def test_a_row_that_changes_while_it_is_compared_keeps_its_own_place(
    shop: Till, house: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody applies an earlier answer in between: the row answers that one, and is not said to answer ours."""
    _, [made] = await _subscribed(shop, house)
    told = await stripe.fetch_subscription(house.runtime, made["id"])
    before = (await subscription_row(house, made["id"]))["fetched"]
    real = queries.invoices_by_ids

    async def meanwhile(work: Any, **given: Any) -> Any:
        await house.rows("update tenantry.subscriptions set quantity = 5, fetched = $1 returning id", before + 1)
        return await real(work, **given)

    monkeypatch.setattr(queries, "invoices_by_ids", meanwhile)
    async with SystemWork(_call(house), reason="a test") as work:
        asked = await actions.take_place(work)
        await actions.compare_subscriptions(work, told=[told], asked=asked)
    row = await subscription_row(house, made["id"])
    assert (row["quantity"], row["fetched"]) == (5, before + 1)


async def test_a_key_of_another_account_ends_nothing(billed: Installation, tiny: TinyStripe) -> None:
    for number in range(3):
        customer = await customer_of(billed, await billed.team())
        tiny.has(f"subscriptions/sub_{number}", subscription(f"sub_{number}", customer))
        await tell(billed, event("customer.subscription.created", {"id": f"sub_{number}"}))
    await billed.drain_jobs()
    tiny.things.clear()
    tiny.has("subscriptions", EMPTY)
    with pytest.raises(OtherAccount):
        await reconcile(billed)
    live = await billed.rows("select from tenantry.subscriptions where status = 'active'")
    assert len(live) == 3
