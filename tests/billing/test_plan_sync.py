"""`tenantry plans diff` and `sync`: what the plan file says is for sale at Stripe, whatever came between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from shop_kit import PLANS, Shop, killed_at, operator, plan_file, shop

from tenantry.billing.exchanges import compare_plans, sync_plans
from tenantry.billing.models import Found, is_ours, lookup_key, steps, wanted
from tenantry.billing.problems import BillingOff, NoPlanFile, StripeRefused, StripeUnavailable
from tenantry.billing.stripe import shapes, transport
from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.problems import Forbidden
from tenantry.plans.models import Catalogue, Plan, Price
from tenantry.testing import Installation

MONTHLY = "tenantry_pro_1_month_eur"
ANOTHER = (
    PLANS.replace("amount = 1200,", "amount = 1500,")
    .replace('name = "Pro"', 'name = "Professional"')
    .replace('exports = "Exports"\n', 'reports = "Reports"\n')
    .replace('features = ["sso"]\n', 'features = ["reports"]\n')
    .replace('key = "all"\nname = "All"', 'key = "team"\nname = "Team"')
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK waits half a second and more before it asks again."""
    monkeypatch.setattr(transport.Transport, "sleep_async", lambda _, secs: asyncio.sleep(0))


@pytest.fixture
async def stripe() -> AsyncIterator[tuple[Shop, str]]:
    async with shop() as found:
        yield found


Sync = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def sync(billing_house: Installation, stripe: tuple[Shop, str], tmp_path: Path) -> Sync:
    """One sync with a plan file; what it did."""

    async def one(plans: str = PLANS, verb: Any = sync_plans) -> list[str]:
        async with operator(billing_house, stripe[1], plan_file(tmp_path, plans)) as call:
            return [step.sentence for step in await verb(call)]

    return one


async def test_a_first_sync_puts_everything_there_and_a_second_does_nothing(
    stripe: tuple[Shop, str], sync: Sync
) -> None:
    local, _ = stripe
    due = await sync(verb=compare_plans)
    assert not local.written
    assert await sync() == due
    assert local.sold() == {
        "products": {
            "tenantry_free": ("Free", True), "tenantry_pro": ("Pro", True), "tenantry_all": ("All", True),
        },
        "prices": {
            MONTHLY: ("tenantry_pro", 1200, "eur", "month"),
            "tenantry_pro_1_year_eur": ("tenantry_pro", 12000, "eur", "year"),
            "tenantry_pro_1_month_jpy": ("tenantry_pro", 150000, "jpy", "month"),
            "tenantry_all_1_month_usd": ("tenantry_all", 0, "usd", "month"),
        },
        "features": {"tenantry_sso": ("Single sign-on", True), "tenantry_exports": ("Exports", True)},
        "attached": {
            ("tenantry_pro", "tenantry_sso"), ("tenantry_all", "tenantry_sso"), ("tenantry_all", "tenantry_exports"),
        },
    }  # fmt: skip
    [monthly] = [one for one in local.prices if one["lookup_key"] == MONTHLY]
    assert monthly["metadata"] == {
        "tenantry_plan": "pro", "tenantry_plan_version": "1", "tenantry_price": MONTHLY,
    }  # fmt: skip
    assert monthly["recurring"]["usage_type"] == "licensed"

    written = len(local.written)
    assert written == len(due)
    assert await sync(verb=compare_plans) == []
    assert await sync() == []
    assert len(local.written) == written


async def test_a_price_that_changes_is_a_new_one_with_the_name_and_the_old_one_is_archived(
    stripe: tuple[Shop, str], sync: Sync
) -> None:
    local, _ = stripe
    await sync()
    [old] = [one["id"] for one in local.prices if one["lookup_key"] == MONTHLY]
    # there and back within the day for which Stripe remembers keys
    for amount in (1500, 1200, 1500):
        written = len(local.written)
        done = await sync(PLANS.replace("amount = 1200,", f"amount = {amount},"))
        # at once: what is made has not the key under which the same was made before
        assert len(local.written) == written + 2
        assert [sentence.split(" ")[0] for sentence in done] == ["make", "archive"]
        assert local.sold()["prices"][MONTHLY][1] == amount
    assert local.books.kinds["price"][old] | {"updated": 0} == local.books.kinds["price"][old] | {
        "updated": 0, "active": False, "lookup_key": None, "unit_amount": 1200,
    }  # fmt: skip
    assert sum(one["active"] for one in local.prices) == 4


async def test_another_version_is_sold_beside_the_old_one_until_that_leaves_the_file(
    stripe: tuple[Shop, str], sync: Sync
) -> None:
    local, _ = stripe
    await sync()
    second = '[[plans]]\nkey = "pro"\nname = "Pro 2"\nversion = 2\nfeatures = ["exports"]\n'
    both = f'{PLANS}\n{second}prices = [{{ amount = 2000, currency = "eur" }}]\n'
    assert await sync(both) == [
        'change the product tenantry_pro: its name is "Pro 2"',
        "make the price tenantry_pro_2_month_eur: 2000 eur a month",
        "attach the feature tenantry_exports to the product tenantry_pro",
    ]
    assert {MONTHLY, "tenantry_pro_2_month_eur"} <= set(local.sold()["prices"])
    # what the first version had is still attached: who bought it has it
    assert ("tenantry_pro", "tenantry_sso") in local.sold()["attached"]
    first, rest = PLANS.index('[[plans]]\nkey = "pro"'), PLANS.index('[[plans]]\nkey = "all"')
    await sync(both[:first] + both[rest:])
    assert [name for name in local.sold()["prices"] if "pro" in name] == ["tenantry_pro_2_month_eur"]
    assert ("tenantry_pro", "tenantry_sso") not in local.sold()["attached"]


async def test_a_plan_that_leaves_the_file_is_archived_and_comes_back_with_its_prices(
    stripe: tuple[Shop, str], sync: Sync
) -> None:
    local, _ = stripe
    await sync()
    before, prices = local.sold(), len(local.prices)
    without = PLANS[: PLANS.index('[[plans]]\nkey = "all"')]
    said = await sync(without, verb=compare_plans)
    assert said[0].startswith("archive the price tenantry_all_1_month_usd (price_")
    assert said[1:] == ["archive the product tenantry_all"]
    await sync(without)
    assert local.sold()["products"]["tenantry_all"] == ("All", False)
    assert "tenantry_all_1_month_usd" not in local.sold()["prices"]
    assert await sync() == [
        "change the product tenantry_all: sold again",
        "change the price tenantry_all_1_month_usd: sold again",
    ]
    assert (local.sold(), len(local.prices)) == (before, prices)
    assert not [one for one in local.written if one.startswith("DELETE")]


async def test_features_come_go_and_are_renamed(stripe: tuple[Shop, str], sync: Sync) -> None:
    local, _ = stripe
    await sync()
    other = PLANS.replace('exports = "Exports"', 'reports = "Reports"').replace("Single sign-on", "SSO")
    assert await sync(other) == [
        'change the feature tenantry_sso: its name is "SSO"',
        "make the feature tenantry_reports (Reports)",
        "attach the feature tenantry_reports to the product tenantry_all",
        "take the feature tenantry_exports off the product tenantry_all",
        "archive the feature tenantry_exports",
    ]
    await sync()
    assert local.sold()["features"] == {
        "tenantry_sso": ("Single sign-on", True), "tenantry_exports": ("Exports", True),
        "tenantry_reports": ("Reports", False),
    }  # fmt: skip


async def test_what_others_sell_in_the_same_account_is_never_touched(stripe: tuple[Shop, str], sync: Sync) -> None:
    local, _ = stripe
    await sync()
    theirs = _theirs(local)
    before = json.dumps(theirs, sort_keys=True)
    await sync(ANOTHER)
    await sync(PLANS[: PLANS.index('[[plans]]\nkey = "pro"')])
    assert json.dumps(theirs, sort_keys=True) == before
    assert not [one for one in local.written if "their" in one]


def _theirs(local: Shop) -> list[Any]:
    """A product and features of somebody else's, and on one of ours a price that was agreed on and a feature."""
    books, plan = local.books, {"tenantry_plan": "pro", "tenantry_plan_version": "1"}
    theirs = [
        books.put({"id": "their.s", "object": "product", "name": "Theirs", "active": True, "metadata": {}}),
        books.put({"id": "tenantry", "object": "product", "name": "Ours, by hand", "active": True, "metadata": plan}),
        books.put(_price("price_theirs", product="their.s", lookup_key="pro", metadata={})),
        books.put(_price("price_of_a_friend", product="tenantry_pro", lookup_key=None, metadata=plan)),
    ]
    feature = {"id": "feat_theirs", "object": "entitlements.feature", "lookup_key": "sso", "name": "X", "active": True}
    theirs.append(books.put({**feature, "metadata": {}}))
    attached = {"id": "prodft_theirs", "object": "product_feature", "entitlement_feature": theirs[-1]}
    theirs.append(books.put(attached))
    books.keep("product:prodft_theirs", "tenantry_pro")
    books.settle()
    return theirs


def _price(id_: str, **more: Any) -> dict[str, Any]:
    every = {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
    return {
        "id": id_, "object": "price", "active": True, "currency": "eur", "unit_amount": 700, "recurring": every, **more,
    }  # fmt: skip


async def test_what_somebody_changed_by_hand_is_put_right(stripe: tuple[Shop, str], sync: Sync) -> None:
    local, _ = stripe
    await sync()
    before, books = local.sold(), local.books
    [price] = [one for one in local.prices if one["lookup_key"] == MONTHLY]
    books.change(price, active=False, metadata={"note": "theirs"})
    books.change(books.get("product", "tenantry_pro"), name="By hand", active=False)
    [feature] = [one for one in books.kinds["entitlements.feature"].values() if one["lookup_key"] == "tenantry_sso"]
    books.change(feature, active=False)
    books.settle()
    assert len(await sync()) == 3
    assert (local.sold(), len(local.books.kinds["entitlements.feature"])) == (before, 2)
    assert price["metadata"].keys() == {"note", "tenantry_plan", "tenantry_plan_version", "tenantry_price"}


async def test_more_than_a_page_is_read_to_its_end(stripe: tuple[Shop, str], sync: Sync) -> None:
    local, _ = stripe
    await sync()
    for number in range(205):
        local.books.put({"id": f"other_{number}", "object": "product", "name": "x", "active": True, "metadata": {}})
        feature = {"id": f"feat_{number}", "object": "entitlements.feature", "lookup_key": f"x_{number}"}
        local.books.put({**feature, "name": "x", "active": True, "metadata": {}})
        more = {"lookup_key": None, "metadata": {}, "product": "tenantry_pro"}
        local.books.put(_price(f"price_{number}", **more))
    local.books.settle()
    assert await sync() == []


@pytest.mark.parametrize("carried_out", [False, True])
async def test_a_sync_that_was_killed_anywhere_is_ended_by_the_next(
    billing_house: Installation, tmp_path: Path, carried_out: bool
) -> None:
    old, new = plan_file(tmp_path), plan_file(tmp_path, ANOTHER)
    async with shop() as (local, url):
        async with operator(billing_house, url, old) as call:
            await sync_plans(call)
        kept = json.dumps(local.books.snapshot())
        async with operator(billing_house, url, new) as call:
            writes = len(await sync_plans(call))
        expected = local.sold()
    assert writes > 12
    for write in range(1, writes + 1):
        async with shop() as (local, url):
            local.books.restore(json.loads(kept))
            async with operator(billing_house, url, new) as call:
                assert await killed_at(lambda call=call: sync_plans(call), local, write, carried_out=carried_out)
            async with operator(billing_house, url, new) as call:
                await sync_plans(call)
                assert await compare_plans(call) == (), write
            assert local.sold() == expected, write


@pytest.mark.parametrize(("status", "after"), [(500, False), (500, True), (0, False), (0, True), (409, False)])
async def test_a_failure_at_any_step_is_got_over_in_the_same_sync(
    billing_house: Installation, tmp_path: Path, status: int, after: bool
) -> None:
    plans = plan_file(tmp_path)
    async with shop() as (local, url), operator(billing_house, url, plans) as call:
        writes = len(await sync_plans(call))
        expected = local.sold()
    for write in range(1, writes + 1, 3):
        async with shop() as (local, url), operator(billing_house, url, plans) as call:
            local.around = _failing(local, write, status, after=after)
            await sync_plans(call)
            assert local.sold() == expected, write
            assert await compare_plans(call) == (), write


def _failing(local: Shop, write: int, status: int, *, after: bool) -> Any:
    async def around(number: int, on: Any) -> Any:
        if number == write:
            # the SDK asks again at once, and is told the same
            local.fail(status, times=2, method="POST|DELETE", after=after)
        return await on()

    return around


async def test_failures_that_stripe_remembers_do_not_keep_the_next_sync_from_its_end(
    stripe: tuple[Shop, str], sync: Sync
) -> None:
    local, _ = stripe
    local.fail(500, times=50, method="POST")
    with pytest.raises(StripeUnavailable):
        await sync()
    assert local.sold()["products"] == {}
    local.faults.clear()
    assert len(await sync()) == len(local.sold()["prices"]) + 3 + 2 + 3
    assert await sync(verb=compare_plans) == []


async def test_many_who_sync_at_once_make_everything_once(
    billing_house: Installation, stripe: tuple[Shop, str], sync: Sync
) -> None:
    local, _ = stripe
    await asyncio.gather(*[sync() for _ in range(4)])
    assert await sync(verb=compare_plans) == []
    assert len(local.prices) == 4
    assert len(local.books.kinds["entitlements.feature"]) == 2
    assert len(local.books.kinds["product_feature"]) == 3


async def test_what_stripe_refuses_is_said_and_the_rest_is_done(stripe: tuple[Shop, str], sync: Sync) -> None:
    local, _ = stripe
    await sync()
    [price] = [one["id"] for one in local.prices if one["lookup_key"] == "tenantry_all_1_month_usd"]
    local.fail(400, times=50, method="POST", path=f"/v1/prices/{price}")
    without = PLANS[: PLANS.index('[[plans]]\nkey = "all"')]
    with pytest.raises(StripeRefused, match=f"archive the price tenantry_all_1_month_usd .{price}"):
        await sync(without)
    assert local.sold()["products"]["tenantry_all"] == ("All", False)


async def test_what_was_done_is_in_the_audit_log_also_of_half_a_sync(
    billing_house: Installation, stripe: tuple[Shop, str], sync: Sync
) -> None:
    local, _ = stripe
    local.fail(503, times=50, method="POST", path="/v1/prices")
    with pytest.raises(StripeUnavailable):
        await sync()
    assert await _noted(billing_house) == {
        "live": False,
        "done": [
            "make the feature tenantry_sso (Single sign-on)", "make the feature tenantry_exports (Exports)",
            "make the product tenantry_free (Free)", "make the product tenantry_pro (Pro)",
            "make the product tenantry_all (All)",
        ],
    }  # fmt: skip
    local.faults.clear()
    done = await sync()
    assert (await _noted(billing_house))["done"] == done
    rows = len(await _notes(billing_house))
    assert await sync() == []
    assert len(await _notes(billing_house)) == rows


async def _notes(house: Installation) -> list[Any]:
    said = "select after from tenantry.audit_log where action = 'billing:plans:synced' order by at, id"
    return await house.rows(said)


async def _noted(house: Installation) -> Any:
    return json.loads((await _notes(house))[-1]["after"])


async def test_without_billing_a_plan_file_or_a_stripe_nothing_is_compared(
    billing_house: Installation, stripe: tuple[Shop, str], tmp_path: Path
) -> None:
    local, url = stripe
    plans = plan_file(tmp_path)
    cases = [(url, plans, None, BillingOff), (url, "", "sk_test_local", NoPlanFile)]
    cases += [("http://127.0.0.1:9", plans, "sk_test_local", StripeUnavailable)]
    cases += [(url, plans, "sk_test_another", StripeUnavailable)]
    for verb in (compare_plans, sync_plans):
        for where, file, key, problem in cases:
            async with operator(billing_house, where, file, key) as call:
                with pytest.raises(problem):
                    await verb(call)
    assert not local.written


async def test_only_the_house_compares_and_syncs(billing_house: Installation) -> None:
    for verb in (compare_plans, sync_plans):
        with pytest.raises(Forbidden):
            await verb(Call(billing_house.runtime, NOBODY, "request-of-a-test"))


def test_the_name_of_a_price_says_plan_version_interval_and_currency() -> None:
    price = Price(amount=1, currency="eur", interval="year")
    assert lookup_key(Plan(key="pro_1", name="Pro", version=12), price) == "tenantry_pro_1_12_year_eur"


PRO = Catalogue(
    default="pro", plans=(Plan(key="pro", name="Pro", prices=(Price(amount=5, currency="eur"),)),)
)  # fmt: skip
HAS = shapes.Price(
    id="p1", product="tenantry_pro", currency="eur", unit_amount=5, lookup_key=MONTHLY,
    recurring=shapes.Recurring("month"),
    metadata={"tenantry_plan": "pro", "tenantry_plan_version": "1", "tenantry_price": MONTHLY},
)  # fmt: skip
SOLD = shapes.Product("tenantry_pro", "Pro", metadata={"tenantry_plan": "pro"})


def _but(price: shapes.Price, **other: Any) -> shapes.Price:
    return shapes.Price(**{name: getattr(price, name) for name in price.__struct_fields__} | other)


@pytest.mark.parametrize(
    ("prices", "does"),
    [
        ([HAS], []),
        ([], ["make"]),
        ([_but(HAS, unit_amount=6)], ["make", "archive p1"]),
        ([_but(HAS, unit_amount=None)], ["make", "archive p1"]),
        ([_but(HAS, currency="usd")], ["make", "archive p1"]),
        ([_but(HAS, recurring=None)], ["make", "archive p1"]),
        ([_but(HAS, recurring=shapes.Recurring("month", 3))], ["make", "archive p1"]),
        ([_but(HAS, recurring=shapes.Recurring("month", 1, "metered"))], ["make", "archive p1"]),
        ([_but(HAS, unit_amount=6, active=False)], ["make"]),
        # it has our name on a product that is not ours: the name is taken, the price stays
        ([_but(HAS, product="theirs", metadata={})], ["make"]),
        ([_but(HAS, active=False)], ["change"]),
        ([_but(HAS, metadata={})], ["change"]),
        # between a name that went to another price and the end of the one that had it
        ([HAS, _but(HAS, id="p0", lookup_key=None)], ["archive p0"]),
        ([HAS, _but(HAS, id="p0", lookup_key=None, active=False)], []),
        ([HAS, _but(HAS, id="p0", lookup_key="tenantry_pro_9_month_eur", metadata={})], ["archive p0"]),
        ([HAS, _but(HAS, id="p0", lookup_key="tenantry-pro", metadata={})], []),
        ([HAS, _but(HAS, id="p0", lookup_key=None, metadata={"tenantry_plan": "pro"})], []),
    ],
)
def test_steps_lead_from_the_prices_that_are_found_to_the_one_that_is_wanted(
    prices: list[shapes.Price], does: list[str]
) -> None:
    due = steps(wanted(PRO), Found(products=(SOLD,), prices=tuple(prices)))
    archived = {"active": False}
    assert [f"archive {step.id}" if step.params == archived else step.does for step in due] == does
    assert len({step.key for step in due}) == len(due)


def test_an_id_that_only_looks_like_ours_is_somebody_elses() -> None:
    for id_ in ("tenantry", "tenantry_", "tenantry_1", "tenantry_pro.2", "Tenantry_pro", "x_tenantry_pro"):
        assert not is_ours(shapes.Product(id_))
    assert is_ours(SOLD)
