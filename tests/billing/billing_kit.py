"""A Stripe of a few lines for these tests: it answers what it is told to, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from aiohttp import web

from tenantry.foundation.data.ids import ORG_ID
from tenantry.testing import Installation, Response, Team

KEY, SECRET, SPARE = "sk_test_of_these_tests", "whsec_one_of_these_tests", "whsec_two_of_these_tests"
JSON = {"content-type": "application/json; charset=utf-8"}
_numbers = itertools.count(1)


def environ(base: str) -> dict[str, str]:
    """Settings of an installation that bills with the Stripe at an address."""
    return {
        "TENANTRY_STRIPE_API_BASE": base,
        "TENANTRY_STRIPE_SECRET_KEY": KEY,
        "TENANTRY_STRIPE_WEBHOOK_SECRETS": f"{SECRET},{SPARE}",
    }


class Asked:
    """One question that was asked."""

    def __init__(self, request: web.Request, form: dict[str, str]) -> None:
        self.method, self.path = request.method, request.path.removeprefix("/v1/")
        self.headers = request.headers.copy()
        self.query, self.form = dict(request.query), form


class TinyStripe:
    """Answers by path, with an object or whatever a function makes of the question."""

    def __init__(self, base: str = "") -> None:
        self.base = base
        self.things: dict[str, Any] = {}
        self.asked: list[Asked] = []
        self.before: Callable[[Asked], Any] | None = None

    def has(self, path: str, thing: Any, status: int = 200, **headers: str) -> None:
        """Let it answer so."""
        self.things[path] = (status, thing, headers)

    def fails(self, path: str, status: int, **error: Any) -> None:
        """Let it refuse so."""
        self.has(path, {"error": {"type": "invalid_request_error", "message": "no"} | error}, status)

    def count(self, path: str) -> int:
        """How often it was asked for this."""
        return sum(one.path == path for one in self.asked)

    async def answer(self, request: web.Request) -> web.Response:
        asked = Asked(request, {name: str(text) for name, text in (await request.post()).items()})
        self.asked.append(asked)
        if self.before is not None:
            await self.before(asked)
        missing = {"error": {"type": "invalid_request_error", "code": "resource_missing", "param": "id"}}
        status, thing, headers = self.things.get(asked.path, (404, missing, {}))
        body = thing if isinstance(thing, bytes) else json.dumps(thing).encode()
        return web.Response(body=body, status=status, headers={"request-id": "req_1", **JSON, **headers})


@asynccontextmanager
async def tiny_stripe() -> AsyncIterator[TinyStripe]:
    """One that runs."""
    stripe = TinyStripe()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stripe.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stripe.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield stripe
    finally:
        await runner.cleanup()


def subscription(subscription_id: str, customer: str, status: str = "active", **more: Any) -> dict[str, Any]:
    """A subscription as Stripe tells it."""
    told = {
        "id": subscription_id, "object": "subscription", "customer": customer, "status": status, "livemode": False,
        "created": 1_700_000_000, "cancel_at_period_end": False, "cancel_at": None, "canceled_at": None,
        "ended_at": None, "trial_end": None, "latest_invoice": None, "pause_collection": None, "metadata": {},
        "items": {
            "object": "list", "has_more": False,
            "data": [
                {
                    "id": f"si_{subscription_id}", "quantity": 3, "current_period_start": 1_700_000_000,
                    "current_period_end": 1_702_592_000,
                    "price": {
                        "id": "price_pro", "product": "prod_pro", "currency": "eur", "unit_amount": 1900,
                        "lookup_key": "pro", "metadata": {"tenantry_plan": "pro", "tenantry_plan_version": "1"},
                    },
                }
            ],
        },
    }  # fmt: skip
    return told | more


def invoice(invoice_id: str, customer: str, status: str = "paid", **more: Any) -> dict[str, Any]:
    """An invoice as Stripe tells it."""
    told = {
        "id": invoice_id, "object": "invoice", "customer": customer, "currency": "eur", "created": 1_700_000_000,
        "number": "A-1", "status": status, "total": 5700, "amount_due": 5700,
        "amount_paid": 5700 if status == "paid" else 0, "amount_remaining": 0 if status == "paid" else 5700,
        "attempt_count": 1, "hosted_invoice_url": "https://invoice.example.com/1", "invoice_pdf": None,
        "status_transitions": {"finalized_at": 1_700_000_000, "paid_at": 1_700_000_100 if status == "paid" else None},
        "lines": {"object": "list", "data": [], "has_more": False},
    }  # fmt: skip
    return told | more


def of_subscription(subscription_id: str) -> dict[str, Any]:
    """How an invoice says which subscription it is for."""
    return {"parent": {"type": "subscription_details", "subscription_details": {"subscription": subscription_id}}}


def event(kind: str, thing: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What Stripe tells of a thing."""
    told = {
        "id": f"evt_{next(_numbers)}", "object": "event", "type": kind, "api_version": "2026-10-28.endive",
        "created": int(time.time()), "livemode": False, "data": {"object": thing},
    }  # fmt: skip
    return told | more


def sign(body: bytes, secret: str = SECRET, at: float | None = None) -> str:
    """Stripe's signature under a body."""
    moment = int(time.time() if at is None else at)
    return f"t={moment},v1={hmac.digest(secret.encode(), f'{moment}.'.encode() + body, 'sha256').hex()}"


async def tell(house: Installation, told: dict[str, Any], **how: Any) -> Response:
    """Tell the house something as Stripe does."""
    body = json.dumps(told, indent=2).encode()
    return await send(house, body, sign(body, **how))


async def send(house: Installation, body: bytes, signature: str | None) -> Response:
    """Send bytes to where Stripe tells things."""
    headers = JSON if signature is None else JSON | {"stripe-signature": signature}
    return await house.client.request("POST", "/v1/stripe/webhook", data=body, headers=headers)


async def customer_of(house: Installation, team: Team) -> str:
    """The customer at Stripe that an organization is from now on."""
    customer = f"cus_{next(_numbers)}"
    await house.rows(
        "insert into tenantry.stripe_customers (org_id, customer_id, livemode) values ($1, $2, false) returning org_id",
        org_uuid(team),
        customer,
    )
    return customer


def org_uuid(team: Team) -> UUID:
    """An organization's id in the database."""
    found = ORG_ID.read(team.org)
    assert found is not None
    return found


async def notice(house: Installation, told: dict[str, Any]) -> Any:
    """The row that is kept of what was told."""
    [row] = await house.rows("select * from tenantry.stripe_notices where id = $1", told["id"])
    return row


async def subscription_row(house: Installation, subscription_id: str) -> Any:
    """A subscription as it is kept."""
    [row] = await house.rows("select * from tenantry.subscriptions where id = $1", subscription_id)
    return row


class Gate:
    """Holds one question until it is let go."""

    def __init__(self) -> None:
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def wait(self) -> None:
        self.reached.set()
        await self.open.wait()
