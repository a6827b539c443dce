"""Asking Stripe: what goes over the wire, how long is waited, and what each failure means."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from billing_kit import KEY, Asked, TinyStripe, invoice, subscription

from tenantry.billing import stripe
from tenantry.billing.settings import BillingSettings
from tenantry.billing.stripe.shapes import Customer
from tenantry.foundation.neighbours import Neighbours
from tenantry.foundation.security.secret import Secret


class _Runtime:
    """As much of a runtime as a question needs."""

    def __init__(self, settings: BillingSettings) -> None:
        self.settings_of_billing = settings
        self.neighbours = Neighbours()

    def section(self, _: Any) -> BillingSettings:
        return self.settings_of_billing


def _runtime(base: str, key: str | None = KEY) -> Any:
    return _Runtime(BillingSettings(stripe_api_base=base, stripe_secret_key=None if key is None else Secret(key)))


@pytest.fixture
async def runtime(tiny: TinyStripe) -> AsyncIterator[Any]:
    made = _runtime(tiny.base)
    yield made
    await made.neighbours.close()


async def test_a_question_carries_the_key_the_version_and_its_idempotency_key(tiny: TinyStripe, runtime: Any) -> None:
    tiny.has("customers", {"id": "cus_1", "object": "customer", "livemode": False})
    made = await stripe.create_customer(
        runtime, key="intent-1", name="Acme & Söhne", email="a+b@example.com", metadata={"org_id": "org_1"}
    )
    assert made.id == "cus_1"
    [asked] = tiny.asked
    assert (asked.method, asked.path) == ("POST", "customers")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["stripe-version"] == stripe.VERSION
    assert asked.headers["idempotency-key"] == "intent-1"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.form == {"name": "Acme & Söhne", "email": "a+b@example.com", "metadata[org_id]": "org_1"}


async def test_lists_and_what_is_nested_are_written_as_stripe_reads_them(tiny: TinyStripe, runtime: Any) -> None:
    tiny.has("checkout/sessions", {"id": "cs_1", "url": "https://checkout.example.com/1", "status": "open"})
    session = await stripe.create_checkout(
        runtime, key="k", customer_id="cus_1", items=[{"price": "price_1", "quantity": 3}],
        success_url="https://app.example.com/ok?a=b&c=d", cancel_url="https://app.example.com/",
        allow_promotion_codes=True, subscription_data={"trial_period_days": 14},
    )  # fmt: skip
    assert session.url == "https://checkout.example.com/1"
    assert tiny.asked[0].form == {
        "mode": "subscription", "customer": "cus_1", "line_items[0][price]": "price_1",
        "line_items[0][quantity]": "3", "success_url": "https://app.example.com/ok?a=b&c=d",
        "cancel_url": "https://app.example.com/", "allow_promotion_codes": "true",
        "subscription_data[trial_period_days]": "14",
    }  # fmt: skip


async def test_nothing_is_made_without_an_idempotency_key(tiny: TinyStripe, runtime: Any) -> None:
    with pytest.raises(TypeError):
        await stripe.account(runtime).ask("post", "customers", Customer, name="Acme")
    assert not tiny.asked


async def test_a_question_that_is_repeated_at_once_has_the_same_key(tiny: TinyStripe, runtime: Any) -> None:
    tiny.has("customers", {"error": {"type": "api_error"}}, 500)

    async def recover(_: Asked) -> None:
        if len(tiny.asked) == 2:
            tiny.has("customers", {"id": "cus_1"})

    tiny.before = recover
    await stripe.create_customer(runtime, key="intent-1", name="Acme", email=None, metadata={})
    assert [one.headers["idempotency-key"] for one in tiny.asked] == ["intent-1", "intent-1"]


async def test_a_subscription_is_read_with_its_items_and_its_latest_invoice(tiny: TinyStripe, runtime: Any) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", "cus_1", latest_invoice=invoice("in_1", "cus_1")))
    told = await stripe.fetch_subscription(runtime, "sub_1")
    assert tiny.asked[0].query == {"expand[0]": "latest_invoice", "expand[1]": "schedule.phases.items.price"}
    assert (told.items.data[0].price.id, told.items.data[0].quantity) == ("price_pro", 3)
    assert getattr(told.latest_invoice, "number", None) == "A-1"


async def test_what_does_not_answer_in_time_may_have_been_done(
    tiny: TinyStripe, runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Asked) -> None:
        await asyncio.Event().wait()

    tiny.before = never
    began = time.monotonic()
    with pytest.raises(stripe.Unreachable):
        await stripe.account(runtime).ask("get", "customers/cus_1", Customer, deadline=0.3)
    assert time.monotonic() - began < 3


REFUSED = stripe.Refused
FAILURES: list[tuple[int, dict[str, Any], type[Exception], dict[str, Any]]] = [
    (402, {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "message": "No money."},
     stripe.Declined, {"code": "insufficient_funds", "message": "No money."}),
    (400, {"code": "parameter_invalid_integer", "param": "quantity"}, REFUSED,
     {"code": "parameter_invalid_integer", "param": "quantity", "missing": False}),
    (404, {"code": "resource_missing", "param": "id"}, REFUSED, {"code": "resource_missing", "missing": True}),
    (400, {"type": "idempotency_error", "code": "idempotency_key_in_use"}, REFUSED, {}),
    (401, {}, stripe.Misconfigured, {}),
    (403, {}, stripe.Misconfigured, {}),
    (429, {"code": "rate_limit"}, stripe.Unreachable, {}),
    (409, {"code": "lock_timeout"}, stripe.Unreachable, {}),
    (500, {"type": "api_error"}, stripe.Unreachable, {}),
    (503, {"type": "api_error"}, stripe.Unreachable, {}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "error", "kind", "facts"), FAILURES, ids=lambda part: str(part)[:30])
async def test_each_failure_is_one_of_four(
    tiny: TinyStripe, runtime: Any, status: int, error: dict[str, Any], kind: type[Exception], facts: dict[str, Any]
) -> None:
    tiny.fails("customers/cus_1", status, **error)
    with pytest.raises(kind) as failed:
        await stripe.fetch_customer(runtime, "cus_1")
    assert {name: getattr(failed.value, name) for name in facts} == facts
    assert KEY not in str(failed.value)


async def test_an_answer_that_is_none_of_stripes_is_no_answer(tiny: TinyStripe, runtime: Any) -> None:
    for body in (b"<html>welcome to the hotel</html>", b"", b"[]", b'"hello"'):
        tiny.has("customers/cus_1", body)
        with pytest.raises((stripe.Unreachable, stripe.Refused)):
            await stripe.fetch_customer(runtime, "cus_1")


async def test_an_answer_of_another_shape_is_refused_and_says_where(tiny: TinyStripe, runtime: Any) -> None:
    tiny.has("subscriptions/sub_1", subscription("sub_1", "cus_1", status=5))
    with pytest.raises(stripe.Refused) as refused:
        await stripe.fetch_subscription(runtime, "sub_1")
    assert refused.value.code == "unreadable"
    assert "status" in str(refused.value)


async def test_no_more_is_read_than_an_answer_may_be_long(
    tiny: TinyStripe, runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.has("customers/cus_1", b" " * 9_000_000 + b'{"id":"cus_1"}')
    with pytest.raises(stripe.Unreachable):
        await stripe.fetch_customer(runtime, "cus_1")


async def test_nobody_is_followed_elsewhere(tiny: TinyStripe, runtime: Any) -> None:
    tiny.has("elsewhere", {"id": "cus_1"})
    tiny.has("customers/cus_1", {}, 302, location=f"{tiny.base}/v1/elsewhere")
    with pytest.raises(stripe.StripeFailed):
        await stripe.fetch_customer(runtime, "cus_1")
    assert tiny.count("elsewhere") == 0


async def test_nobody_there_is_unreachable() -> None:
    runtime = _runtime("http://127.0.0.1:9")
    with pytest.raises(stripe.Unreachable):
        await stripe.fetch_customer(runtime, "cus_1")
    await runtime.neighbours.close()


async def test_without_a_key_nothing_is_asked(tiny: TinyStripe) -> None:
    with pytest.raises(stripe.Misconfigured):
        await stripe.fetch_customer(_runtime(tiny.base, key=None), "cus_1")
    assert not tiny.asked


@pytest.mark.parametrize("bad", ["../customers", "sub_1/cancel?x", "", "sub 1", "sub_1#", "%2e%2e"])
async def test_what_is_no_id_leads_to_no_other_path(tiny: TinyStripe, runtime: Any, bad: str) -> None:
    with pytest.raises(stripe.Refused):
        await stripe.fetch_subscription(runtime, bad)
    assert not tiny.asked


async def test_the_connections_are_closed_with_the_runtime(tiny: TinyStripe) -> None:
    runtime = _runtime(tiny.base)
    tiny.has("customers/cus_1", {"id": "cus_1"})
    await stripe.fetch_customer(runtime, "cus_1")
    session = stripe.account(runtime)._asking._transport._session
    await runtime.neighbours.close()
    assert session.closed


async def test_every_page_of_a_list_is_read(tiny: TinyStripe, runtime: Any) -> None:
    pages = {
        "": {"data": [subscription("sub_1", "cus_1"), subscription("sub_2", "cus_1")], "has_more": True},
        "sub_2": {"data": [subscription("sub_3", "cus_1")], "has_more": False},
    }

    async def turn(asked: Asked) -> None:
        tiny.has("subscriptions", pages[asked.query.get("starting_after", "")])

    tiny.before = turn
    assert [one.id for one in await stripe.subscriptions_of(runtime, "cus_1")] == ["sub_1", "sub_2", "sub_3"]
    assert tiny.asked[0].query["status"] == "all"


async def test_a_feature_is_attached_once(tiny: TinyStripe, runtime: Any) -> None:
    known = {"id": "feat_1", "lookup_key": "sso", "name": "SSO", "active": True}
    tiny.has("products/prod_1/features", {"data": [{"id": "pf_1", "entitlement_feature": known}]})
    await stripe.attach_feature(runtime, "prod_1", "feat_1", key="k2")
    assert [one.method for one in tiny.asked] == ["GET"]
    tiny.has("products/prod_1/features", {"data": [], "id": "pf_2", "entitlement_feature": known})
    await stripe.attach_feature(runtime, "prod_1", "feat_1", key="k2")
    assert tiny.asked[-1].form == {"entitlement_feature": "feat_1"}


@pytest.mark.parametrize(
    ("ask", "method", "path", "form"),
    [
        (lambda run: stripe.expire_checkout(run, "cs_1", key="k"), "POST", "checkout/sessions/cs_1/expire", {}),
        (lambda run: stripe.fetch_checkout(run, "cs_1"), "GET", "checkout/sessions/cs_1", {}),
        (
            lambda run: stripe.create_portal(run, key="k", customer_id="cus_1", return_url="https://a.example.com/"),
            "POST", "billing_portal/sessions", {"customer": "cus_1", "return_url": "https://a.example.com/"},
        ),
        (
            lambda run: stripe.change_subscription(
                run, "sub_1", key="k", items=[{"id": "si_1", "price": "p2"}], proration_behavior="always_invoice"
            ),
            "POST", "subscriptions/sub_1",
            {"items[0][id]": "si_1", "items[0][price]": "p2", "proration_behavior": "always_invoice",
             "expand[0]": "latest_invoice", "expand[1]": "schedule.phases.items.price"},
        ),
        (
            lambda run: stripe.preview_change(
                run, key="k", customer_id="cus_1", subscription_id="sub_1", items=[{"id": "si_1", "quantity": 5}]
            ),
            "POST", "invoices/create_preview",
            {"customer": "cus_1", "subscription": "sub_1", "subscription_details[items][0][id]": "si_1",
             "subscription_details[items][0][quantity]": "5"},
        ),
        (
            lambda run: stripe.cancel_at_period_end(run, "sub_1", key="k", feedback="too_expensive"),
            "POST", "subscriptions/sub_1",
            {"cancel_at_period_end": "true", "cancellation_details[feedback]": "too_expensive",
             "expand[0]": "latest_invoice", "expand[1]": "schedule.phases.items.price"},
        ),
        (
            lambda run: stripe.resume_subscription(run, "sub_1", key="k"), "POST", "subscriptions/sub_1",
            {"cancel_at_period_end": "false", "expand[0]": "latest_invoice",
             "expand[1]": "schedule.phases.items.price"},
        ),
        (lambda run: stripe.end_subscription(run, "sub_1", prorate=True), "DELETE", "subscriptions/sub_1", {}),
        (
            lambda run: stripe.refund_payment(run, "pi_1", key="k", amount=500),
            "POST", "refunds", {"payment_intent": "pi_1", "amount": "500"},
        ),
        (lambda run: stripe.payments_of(run, "in_1"), "GET", "invoice_payments", {}),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)  # fmt: skip
async def test_each_question_goes_where_stripe_expects_it(
    tiny: TinyStripe, runtime: Any, ask: Any, method: str, path: str, form: dict[str, str]
) -> None:
    anything = subscription("sub_1", "cus_1") | {"url": "https://x.example.com/", "amount": 1, "currency": "eur"}
    tiny.has(path, anything | {"data": []})
    await ask(runtime)
    [asked] = tiny.asked
    assert (asked.method, asked.path, asked.form) == (method, path, form)


def test_nobody_loads_the_sdk_before_stripe_is_asked() -> None:
    script = "import sys; import tenantry.billing.domain; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not {"stripe", "aiohttp"} & set(done.stdout.split())
