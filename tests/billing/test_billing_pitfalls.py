"""What billing of others fell into, each as a test; where a pitfall's test stands elsewhere, this says where.

| pitfall | tested here | elsewhere |
|---|---|---|
| B1 no secret; forged, stale, again | sent again and again | intake, signature, settings |
| B2 every order, repetitions, losses | | permutations, applying |
| B3 one invoice under two event ids | after a restart | applying (at once) |
| B4 a failure is never a silent 200 | at the door and behind it, poison | applying (Stripe away), verbs |
| B7 past due, and what ends it | by days, by notices | access (a table) |
| B8 gone before it is asked for; shapes | through notices | access, applying, reconciling |
| B10 another mode, another account | nothing is asked for | intake |
| B11 an organization that is gone | kept, counted, tried once | applying, commands, reconciling |

B5, B6, B9, B12 and O8 are of checkout and seats, whose tests have them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from billing_kit import (
    TinyStripe,
    customer_of,
    environ,
    event,
    invoice,
    notice,
    of_subscription,
    org_uuid,
    subscription,
    subscription_row,
    tell,
)
from stripe_kit import Till, apply_all, billing_with, deliver, owned, till

from tenantry.billing import actions, metrics
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.forgetting import ForgettingWork, forget_some
from tenantry.testing import Databases, HandClock, Installation, installed
from tenantry.testing.installation import PASSWORD

SUB = "customer.subscription"
GRACE_DAYS = 14
OWNER = "owner@example.com"


async def _told(house: Installation, kind: str, thing: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = event(kind, thing, **more)
    assert (await tell(house, told)).status == 202
    await house.drain_jobs()
    return told


# B1


async def test_b1_a_notice_that_is_sent_again_and_again_does_what_it_does_once(
    billed: Installation, tiny: TinyStripe
) -> None:
    customer = await customer_of(billed, await billed.team())
    tiny.has("invoices/in_1", invoice("in_1", customer))
    told = await _told(billed, "invoice.paid", {"id": "in_1", "customer": customer})
    for _ in range(5):
        assert (await tell(billed, told)).status == 202
        await billed.drain_jobs()
    assert tiny.count("invoices/in_1") == 1
    assert len(await billed.recorded("billing.invoice_paid")) == 1


# B3


async def test_b3_the_same_invoice_under_two_event_ids_is_paid_once_after_a_restart(
    databases: Databases, registry: Registry, tmp_path: Path, tiny: TinyStripe
) -> None:
    async with databases.fresh() as url:
        async with installed(url, tmp_path / "a", registry=registry, environ=environ(tiny.base)) as first:
            customer = await customer_of(first, await first.team())
            tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
            tiny.has("invoices/in_1", invoice("in_1", customer, **of_subscription("sub_1")))
            await _told(first, "invoice.paid", {"id": "in_1", "customer": customer})
        async with installed(url, tmp_path / "b", registry=registry, environ=environ(tiny.base)) as second:
            await _told(second, "invoice.payment_succeeded", {"id": "in_1", "customer": customer})
            assert len(await second.recorded("billing.invoice_paid")) == 1
            assert len(await second.recorded("billing.subscription_started")) == 1


# B4


async def test_b4_what_cannot_be_kept_is_not_answered_as_if_it_were(
    billed: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object, **__: object) -> bool:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(actions, "keep_notice", breaks)
    told = event(f"{SUB}.updated", {"id": "sub_1", "customer": "cus_1"})
    assert (await tell(billed, told)).status == 500
    monkeypatch.undo()
    assert await billed.rows("select from tenantry.stripe_notices") == []
    assert (await tell(billed, told)).status == 202


async def test_b4_a_mistake_of_ours_behind_the_door_keeps_the_notice_until_it_is_mended(
    billed: Installation, tiny: TinyStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = await customer_of(billed, await billed.team())
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))

    async def breaks(*_: object, **__: object) -> bool:
        raise RuntimeError("sk_live_a_secret_that_nobody_may_read")

    monkeypatch.setattr("tenantry.billing.actions.applying.keep_subscription", breaks)
    told = await _told(billed, f"{SUB}.created", {"id": "sub_1", "customer": customer})
    kept = await notice(billed, told)
    assert (kept["state"], kept["attempts"], kept["payload"] is None) == ("waiting", 1, False)
    assert "RuntimeError" in kept["last_error"]
    assert "sk_live" not in kept["last_error"]
    monkeypatch.undo()
    await apply_all(billed)
    assert (await notice(billed, told))["state"] == "applied"
    assert (await subscription_row(billed, "sub_1"))["status"] == "active"


async def test_b4_one_poisoned_notice_is_a_dead_letter_and_the_other_hundred_go_on(
    billed: Installation, tiny: TinyStripe
) -> None:
    customer = await customer_of(billed, await billed.team())
    tiny.has("invoices/in_bad", invoice("in_bad", customer, total="a lot"))
    others = [f"in_{number}" for number in range(100)]
    for name in others:
        tiny.has(f"invoices/{name}", invoice(name, customer))
    poison = event("invoice.paid", {"id": "in_bad", "customer": customer})
    half = len(others) // 2
    told = [event("invoice.paid", {"id": name, "customer": customer}) for name in others]
    await deliver(billed, [*told[:half], poison, *told[half:]])
    await billed.drain_jobs()
    assert (await notice(billed, poison))["state"] == "failed"
    assert len(await billed.rows("select from tenantry.dead_letters")) == 1
    assert len(await billed.rows("select from tenantry.invoices where status = 'paid'")) == 100
    assert len(await billed.recorded("billing.invoice_paid")) == 100


# B7


class Debtor(msgspec.Struct):
    """An organization whose renewal was just declined, on a clock set by hand."""

    shop: Till
    house: Installation
    clock: HandClock
    customer: str
    org_id: UUID
    subscription_id: str

    async def pass_days(self, days: float) -> None:
        """Let time go by, and nothing be heard."""
        self.clock.advance(days=days)
        self.shop.local.catch_up()

    async def hear(self) -> None:
        """Let all that Stripe told be heard."""
        await deliver(self.house, self.shop.told(), at=self.clock.now.timestamp())
        await apply_all(self.house)

    async def writes(self) -> int:
        """The status of a change that the owner asks for."""
        login = await self.house.client.post("/v1/auth/login", {"email": OWNER, "password": PASSWORD})
        owner = self.house.client.signed_in(login.json)
        address = f"guest{self.clock.now.timestamp()}@example.com"
        path = f"/v1/orgs/{ORG_ID.text(self.org_id)}"
        assert (await owner.get(path)).status == 200
        return (await owner.post(f"{path}/invites", {"email": address, "role": "member"})).status

    async def row(self) -> Any:
        return await subscription_row(self.house, self.subscription_id)

    async def open_invoice(self) -> str:
        """The invoice that is not paid."""
        [found] = await self.house.rows("select id from tenantry.invoices where status = 'open'")
        return str(found["id"])

    async def plans(self) -> list[str]:
        """The plans that it is on by what it pays."""
        rows = await self.house.rows("select plan from tenantry.org_plans where org_id = $1", self.org_id)
        return [row["plan"] for row in rows]


@pytest.fixture
async def debtor(databases: Databases, registry: Registry, tmp_path: Path) -> AsyncIterator[Debtor]:
    clock = HandClock(tmp_path / "clock")
    more = clock.environ | {"TENANTRY_PAYMENT_GRACE_DAYS": str(GRACE_DAYS)}
    async with (
        till(clock=lambda: clock.now) as shop,
        billing_with(shop, databases, registry, tmp_path, **more) as house,
    ):
        owner = await house.person(OWNER)
        customer = await shop.customer()
        org_id = await owned(house, owner, customer)
        made = await shop.subscribe(customer, await shop.price(1900))
        one = Debtor(shop, house, clock, customer, org_id, made["id"])
        await one.hear()
        shop.local.decline(customer)
        period = made["items"]["data"][0]["current_period_end"] - clock.now.timestamp()
        # an invoice is a draft for an hour
        await one.pass_days((period + 3700) / 86_400)
        await one.hear()
        assert (await one.row())["status"] == "past_due"
        yield one


async def test_b7_the_day_that_a_payment_fails_nothing_is_taken_away(debtor: Debtor) -> None:
    assert await debtor.writes() == 201
    assert await debtor.plans() == ["pro"]
    assert len(await debtor.house.recorded("billing.payment_failed")) == 1


async def test_b7_the_day_before_grace_is_over_all_is_open_and_the_day_after_nothing_is_changed(debtor: Debtor) -> None:
    await debtor.pass_days(GRACE_DAYS - 1)
    assert await debtor.writes() == 201
    # nothing is heard meanwhile: time alone does it
    await debtor.pass_days(2)
    assert await debtor.writes() == 402
    # another try that fails does not begin grace anew
    await debtor.hear()
    assert await debtor.writes() == 402
    assert await debtor.plans() == ["pro"]


async def test_b7_a_payment_that_comes_after_grace_opens_all_again(debtor: Debtor) -> None:
    await debtor.pass_days(GRACE_DAYS + 1)
    await debtor.hear()
    assert await debtor.writes() == 402
    debtor.shop.local.accept(debtor.customer)
    await debtor.shop.ask("POST", f"invoices/{await debtor.open_invoice()}/pay")
    await debtor.hear()
    row = await debtor.row()
    assert (row["status"], row["past_due_since"]) == ("active", None)
    assert await debtor.writes() == 201


async def test_b7_who_cancels_while_a_payment_is_due_is_on_the_free_plan_and_not_shut_out(debtor: Debtor) -> None:
    await debtor.shop.ask("DELETE", f"subscriptions/{debtor.subscription_id}")
    await debtor.hear()
    row = await debtor.row()
    assert (row["status"], row["past_due_since"]) == ("canceled", None)
    assert await debtor.plans() == []
    await debtor.pass_days(GRACE_DAYS + 1)
    await debtor.hear()
    assert await debtor.writes() == 201
    assert len(await debtor.house.recorded("billing.subscription_ended")) == 1


async def test_b7_another_card_pays_what_was_due_and_is_told_once(debtor: Debtor) -> None:
    shop, customer = debtor.shop, debtor.customer
    shop.local.books.keep(f"bank:{customer}", "")
    card = await shop.ask("POST", "payment_methods/pm_card_mastercard/attach", customer=customer)
    await shop.ask("POST", f"customers/{customer}", **{"invoice_settings[default_payment_method]": card["id"]})
    due = await debtor.open_invoice()
    await shop.ask("POST", f"invoices/{due}/pay", payment_method=card["id"])
    await debtor.hear()
    assert (await debtor.row())["status"] == "active"
    paid = [one["invoice"] for one in await debtor.house.recorded("billing.invoice_paid")]
    assert paid.count(due) == 1
    await debtor.pass_days(GRACE_DAYS + 1)
    await debtor.hear()
    assert await debtor.writes() == 201


# B8


async def test_b8_what_is_deleted_at_stripe_before_it_is_asked_for_is_over_and_no_failure(
    billed: Installation, tiny: TinyStripe
) -> None:
    customer = await customer_of(billed, await billed.team())
    # known to us, and gone
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    await _told(billed, f"{SUB}.created", {"id": "sub_1", "customer": customer})
    for path in ("subscriptions/sub_1", "invoices/in_1"):
        tiny.things.pop(path, None)
    over = await _told(billed, f"{SUB}.updated", {"id": "sub_1", "customer": customer})
    # never known to us, and gone: a draft
    draft = await _told(billed, "invoice.created", {"id": "in_1", "customer": customer})
    assert (await subscription_row(billed, "sub_1"))["status"] == "canceled"
    assert {(await notice(billed, one))["state"] for one in (over, draft)} == {"applied"}
    assert await billed.rows("select from tenantry.dead_letters") == []


def _items(*edges: int | None) -> dict[str, Any]:
    [item] = subscription("sub", "cus")["items"]["data"]
    data = [
        item | {"id": f"si_{place}", "quantity": place + 1, "current_period_end": edge, "current_period_start": 1}
        for place, edge in enumerate(edges)
    ]
    return {"items": {"object": "list", "has_more": False, "data": data}}


@pytest.mark.parametrize(
    ("told", "end", "quantity"),
    [
        pytest.param(_items(1_702_592_000), 1_702_592_000, 1, id="on-the-item"),
        pytest.param(_items(None) | {"current_period_end": 1_702_000_000}, 1_702_000_000, 1, id="on-the-subscription"),
        pytest.param(_items(1_702_592_000) | {"current_period_end": 1}, 1_702_592_000, 1, id="on-both"),
        pytest.param(_items(1_702_592_000, 1_701_000_000), 1_701_000_000, 1, id="several-items"),
        pytest.param(_items(), None, 1, id="no-items"),
        pytest.param({"status": "on_the_moon"}, 1_702_592_000, 3, id="unknown-status"),
    ],
)
async def test_b8_whatever_shape_a_subscription_comes_in_it_is_kept(
    billed: Installation, tiny: TinyStripe, told: dict[str, Any], end: int | None, quantity: int
) -> None:
    customer = await customer_of(billed, await billed.team())
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer) | told)
    kept = await _told(billed, f"{SUB}.updated", {"id": "sub_1", "customer": customer})
    assert (await notice(billed, kept))["state"] == "applied"
    row = await subscription_row(billed, "sub_1")
    assert (row["period_end"] and row["period_end"].timestamp(), row["quantity"]) == (end, quantity)


# B10


@pytest.mark.parametrize(
    ("more", "how"), [({"livemode": True}, "other_mode"), ({"account": "acct_of_another"}, "other_account")]
)
async def test_b10_what_is_of_another_mode_or_account_is_counted_and_asks_stripe_nothing(
    billed: Installation, tiny: TinyStripe, more: dict[str, Any], how: str
) -> None:
    customer = await customer_of(billed, await billed.team())
    before = metrics.notices.labels(how)._value.get()
    await _told(billed, f"{SUB}.deleted", {"id": "sub_1", "customer": customer}, **more)
    assert metrics.notices.labels(how)._value.get() == before + 1
    assert tiny.asked == []
    assert await billed.rows("select from tenantry.stripe_notices") == []


# B11


async def test_b11_what_is_told_of_an_organization_that_is_gone_is_kept_counted_and_tried_once(
    billed: Installation, tiny: TinyStripe
) -> None:
    team = await billed.team()
    customer = await customer_of(billed, team)
    call = Call(billed.runtime, Actor("cli", name="a test"), "request-of-a-test")
    async with ForgettingWork(call, reason="a test") as work:
        while await forget_some(work, org_uuid(team), most=100):
            pass
        await work.connection.execute("delete from tenantry.orgs where id = $1", org_uuid(team))
    before = metrics.applied.labels("orphaned")._value.get()
    tiny.has("subscriptions/sub_1", subscription("sub_1", customer))
    told = await _told(billed, f"{SUB}.updated", {"id": "sub_1", "customer": customer})
    kept = await notice(billed, told)
    assert (kept["state"], kept["attempts"]) == ("orphaned", 1)
    assert metrics.applied.labels("orphaned")._value.get() == before + 1
    await apply_all(billed)
    assert (await notice(billed, told))["attempts"] == 1
    assert await billed.rows("select from tenantry.subscriptions") == []
    assert await billed.rows("select from tenantry.dead_letters") == []
