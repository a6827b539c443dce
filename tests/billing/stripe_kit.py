"""The local Stripe in the hands of these tests: asked like Stripe is, and its notices delivered when a test says so."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Container, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from billing_kit import SECRET, sign

from tenantry.billing import exchanges
from tenantry.billing.models import SUBJECTS, Round
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Databases, Installation, installed
from tenantry.testing.stripe import LocalStripe, local_stripe

PRO = {"tenantry_plan": "pro", "tenantry_plan_version": "1"}
PLANS = """
default = "free"
[features]
sso = "Single sign-on"
[limits]
seats = "Members and invites"
[[plans]]
key = "free"
name = "Free"
limits = { seats = 3 }
[[plans]]
key = "pro"
name = "Pro"
features = ["sso"]
limits = { seats = 5 }
prices = [{ amount = 1900, currency = "eur" }]
[[plans]]
key = "pro"
name = "Pro, the next"
version = 2
features = ["sso"]
limits = { seats = 10 }
prices = [{ amount = 4900, currency = "eur" }]
"""
# what is asked for ahead, mails for instance, stays where it is
AT_ONCE = """
    update tenantry.jobs
       set run_at = tenantry.now(), due = true
     where kind in ('billing.apply_notice', 'billing.reconcile', 'billing.go_on_reconciling')
       and not due
 returning id
"""
_keys = itertools.count(1)


class Till:
    """A local Stripe that delivers nothing by itself."""

    def __init__(self, local: LocalStripe, url: str, http: aiohttp.ClientSession) -> None:
        self.local, self.url, self._http = local, url, http
        self._read: set[str] = set()

    async def ask(self, method: str, path: str, **params: Any) -> Any:
        """What it answers; nested names are written as it reads them (`items[0][price]`)."""
        headers = {
            "authorization": f"Bearer {self.local.secret_key}", "idempotency-key": f"of-a-test-{next(_keys)}"
        }  # fmt: skip
        form = {name: str(value).lower() if value is True else str(value) for name, value in params.items()}
        data = {"data": form} if method == "POST" else {"params": form}
        async with self._http.request(method, f"{self.url}/v1/{path}", headers=headers, **data) as answer:
            told = json.loads(await answer.read())
            assert answer.status == 200, told
            return told

    async def price(self, amount: int, **metadata: str) -> str:
        """A monthly price of a product of its own."""
        product = await self.ask("POST", "products", name="Pro")
        named = {f"metadata[{name}]": value for name, value in (PRO | metadata).items()}
        made = await self.ask(
            "POST", "prices", product=product["id"], currency="eur", unit_amount=amount,
            **{"recurring[interval]": "month"}, **named,
        )  # fmt: skip
        return str(made["id"])

    async def customer(self, card: str = "pm_card_visa") -> str:
        """A customer with a card."""
        made = await self.ask("POST", "customers", email="ada@example.com")
        method = await self.ask("POST", f"payment_methods/{card}/attach", customer=made["id"])
        await self.ask("POST", f"customers/{made['id']}", **{"invoice_settings[default_payment_method]": method["id"]})
        return str(made["id"])

    async def subscribe(self, customer: str, price: str, **more: Any) -> dict[str, Any]:
        """A subscription of a customer to a price."""
        items = {"items[0][price]": price, "items[0][quantity]": 2}
        made: dict[str, Any] = await self.ask("POST", "subscriptions", customer=customer, **items, **more)
        return made

    def told(self, but: Container[str] = ()) -> list[dict[str, Any]]:
        """What it has told that we hear, since this was asked the last time; the oldest first, and `but` never was."""
        self.local.catch_up()
        known = self.local.books.kinds["event"]
        for id_ in [id_ for id_, one in known.items() if one["type"] in but]:
            del known[id_]
        fresh = [one for id_, one in known.items() if id_ not in self._read]
        self._read.update(known)
        return [one for one in fresh if one["type"] in SUBJECTS]


@asynccontextmanager
async def till(**given: Any) -> AsyncIterator[Till]:
    """A local Stripe whose notices wait for whoever delivers them."""
    async with local_stripe(**given) as running, aiohttp.ClientSession() as http:
        yield Till(running.stripe, running.url, http)


@asynccontextmanager
async def billing_with(
    shop: Till, databases: Databases, registry: Registry, folder: Path, **more: str
) -> AsyncIterator[Installation]:
    """An installation that bills with a local Stripe."""
    plans = folder / "plans.toml"
    plans.write_text(PLANS)
    environ = {
        "TENANTRY_STRIPE_API_BASE": shop.url,
        "TENANTRY_STRIPE_SECRET_KEY": shop.local.secret_key,
        "TENANTRY_STRIPE_WEBHOOK_SECRETS": SECRET,
        "TENANTRY_PLAN_FILE": str(plans),
    }
    async with (
        databases.fresh() as url,
        installed(url, folder, registry=registry, environ=environ | more) as running,
    ):
        yield running


async def owned(house: Installation, owner: Client, customer: str, name: str = "Acme") -> UUID:
    """A new organization that is a customer at Stripe."""
    founded = await owner.post("/v1/orgs", {"name": name})
    assert founded.status == 201, founded
    [row] = await house.rows(
        "insert into tenantry.stripe_customers (org_id, customer_id, livemode)"
        " select id, $2, false from tenantry.orgs where slug = $1 returning org_id",
        founded.json["slug"],
        customer,
    )
    found: UUID = row["org_id"]
    return found


async def deliver(
    house: Installation, events: Iterable[Mapping[str, Any]], at_once: int = 16, at: float | None = None
) -> None:
    """Let notices come through the front door, some at a time; each is taken."""
    turns = asyncio.Semaphore(at_once)

    async def one(event: Mapping[str, Any]) -> None:
        body = json.dumps(event).encode()
        headers = {"content-type": "application/json", "stripe-signature": sign(body, at=at)}
        async with turns:
            answer = await house.client.request("POST", "/v1/stripe/webhook", data=body, headers=headers)
        assert answer.status == 202, answer

    await asyncio.gather(*(one(event) for event in events))


async def apply_all(house: Installation, tries: int = 8) -> None:
    """Run every job, those that wait for another attempt too, until nothing waits."""
    for _ in range(tries):
        await house.drain_jobs()
        if not await house.rows(AT_ONCE):
            return
    raise AssertionError("something is tried again and again")


async def reconcile(house: Installation, *, whole: bool = False) -> Round:
    """Compare everything with Stripe once, and apply what was found."""
    call = Call(house.runtime, Actor("cli", name="a test"), "request-of-a-test")
    reached = await exchanges.begin_round(call, whole=whole)
    while not reached.over:
        reached = await exchanges.go_on(call, round_=reached)
    await apply_all(house)
    return reached
