"""What is bought is bought once, wherever whoever asked Stripe for it is killed: a job comes by and ends it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tenantry.billing import exchanges
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.testing import Client, Databases, Response, installed
from tenantry.testing.stripe import Running, local_stripe

from . import proxied
from .app import Program, Stage, asked, environment, free_port, of_a_request, speaking, status_of
from .conftest import Chosen
from .crash_points import Window, enumerate_points, visit_all

SHOP = """
default = "free"
[[plans]]
key = "free"
name = "Free"
[[plans]]
key = "team"
name = "Team"
prices = [{ amount = 500, currency = "eur", per_seat = true }]
seats = { most = 50 }
"""
UNDONE = "select kind, state from tenantry.billing_intents where org_id = $1 and state = 'asked'"
LONG_AGO = """
    update tenantry.billing_intents set asked_at = asked_at - interval '1 day' where state = 'asked' returning id
"""


@dataclass(frozen=True)
class Buyer:
    """Somebody whose organization buys."""

    client: Client
    org: str

    @property
    def path(self) -> str:
        return f"/v1/orgs/{self.org}/billing"


class Selling:
    """A stage that sells with a Stripe which nothing kills, and which tells nothing by itself."""

    def __init__(self, stage: Stage, running: Running, http: aiohttp.ClientSession) -> None:
        self.stage, self.running, self._http = stage, running, http

    async def buyer(self) -> Buyer:
        """A new organization."""
        behind = self.stage.behind
        owner = await behind.person()
        founded = await owner.post("/v1/orgs", {"name": "Acme"})
        return Buyer(owner, founded.json["id"])

    async def subscriber(self) -> Buyer:
        """One that pays for five seats."""
        buyer = await self.buyer()
        opened = await buyer.client.post(f"{buyer.path}/checkout", {"plan": "team", "seats": 5})
        async with self._http.post(opened.json["url"], data={"card": "visa"}, allow_redirects=False) as answer:
            assert answer.status == 303
        seen = await buyer.client.get(f"{buyer.path}/checkout/{opened.json['id']}")
        assert seen.json["status"] == "completed"
        return buyer

    async def swept(self) -> None:
        """Some time later the job comes by."""
        await self.stage.rows(LONG_AGO)
        await self.stage.behind.ask(NewJob("billing.finish_intents", queue="billing"))
        await self.stage.behind.drain_jobs()

    async def at_stripe(self, buyer: Buyer, kind: str) -> list[dict[str, Any]]:
        """What Stripe has of a kind for an organization; that is no customer has nothing."""
        known = [
            one["id"]
            for one in self.running.stripe.books.kinds["customer"].values()
            if one["metadata"].get("tenantry_org") == buyer.org
        ]
        assert len(known) <= 1
        return [one for one in self.running.stripe.books.kinds[kind].values() if one["customer"] in known]


@asynccontextmanager
async def selling(databases: Databases, registry: Registry, folder: Path) -> AsyncIterator[Selling]:
    """A stage that sells."""
    port, plans = free_port(), folder / "plans.toml"
    plans.write_text(SHOP)
    origin = f"http://127.0.0.1:{port}"
    async with (
        local_stripe() as running,
        aiohttp.ClientSession() as http,
        databases.fresh() as past,
        proxied(past) as (proxy, through),
    ):
        more = {
            "TENANTRY_PLAN_FILE": str(plans),
            "TENANTRY_STRIPE_API_BASE": running.url,
            "TENANTRY_STRIPE_SECRET_KEY": running.secret_key,
        }
        async with (
            installed(past, folder, registry=registry, environ={"TENANTRY_PUBLIC_URL": origin} | more) as behind,
            speaking(origin) as client,
        ):
            await exchanges.sync_plans(Call(behind.runtime, Actor("cli"), "a-stage"))
            settings = environment(through, folder, port) | more
            app = Program(("serve", "--port", str(port), "--workers", "1"), settings, folder / "app.log")
            try:
                yield Selling(Stage(proxy, through, past, app, app, client, behind), running, http)
            finally:
                proxy.toxics.heal()
                await app.kill()


@pytest.fixture
async def shop(databases: Databases, registry: Registry, tmp_path: Path) -> AsyncIterator[Selling]:
    """A shop of one's own."""
    async with selling(databases, registry, tmp_path) as made:
        yield made


class Buying:
    """Something is asked for that Stripe is to do, and whoever asks it dies."""

    def __init__(
        self,
        shop: Selling,
        prepare: Callable[[], Awaitable[Buyer]],
        ask: Callable[[Buyer, Client], Awaitable[Response]],
        holds: Callable[[Buyer], Awaitable[None]],
    ) -> None:
        self.shop, self._prepare, self._ask, self._holds = shop, prepare, ask, holds

    async def prepare(self) -> Buyer:
        await self.shop.stage.start()
        return await self._prepare()

    def window(self) -> AbstractAsyncContextManager[Window]:
        return self.shop.stage.proxy.window(watch=of_a_request)

    async def act(self, client: Buyer) -> tuple[Buyer, Response | None]:
        return client, await asked(self._ask(client, self.shop.stage.client.signed_in(client.client.tokens)))

    async def victim(self) -> None:
        await self.shop.stage.app.kill()

    async def restart(self) -> None:
        """The job needs nobody who was there; whoever asks again does it of the app behind."""

    async def check(self, outcome: tuple[Buyer, Response | None]) -> None:
        buyer, answer = outcome
        assert status_of(answer) in {None, 200, 201, 503}, answer
        await self.shop.swept()
        org_id = ORG_ID.read(buyer.org)
        assert not await self.shop.stage.rows(UNDONE, org_id)
        again = await self._ask(buyer, buyer.client)
        assert again.status in {200, 201}, again
        assert not await self.shop.stage.rows(UNDONE, org_id)
        await self._holds(buyer)


def _checkout(shop: Selling) -> Buying:
    async def ask(buyer: Buyer, client: Client) -> Response:
        return await client.post(f"{buyer.path}/checkout", {"plan": "team", "seats": 5})

    async def holds(buyer: Buyer) -> None:
        assert len(await shop.at_stripe(buyer, "checkout.session")) == 1
        rows = await shop.stage.rows(
            "select customer_id from tenantry.stripe_customers where org_id = $1", ORG_ID.read(buyer.org)
        )
        assert len(rows) == 1

    return Buying(shop, shop.buyer, ask, holds)


def _change(shop: Selling) -> Buying:
    async def ask(buyer: Buyer, client: Client) -> Response:
        return await client.patch(f"{buyer.path}/subscription", {"seats": 8})

    async def holds(buyer: Buyer) -> None:
        [told] = await shop.at_stripe(buyer, "subscription")
        assert told["items"]["data"][0]["quantity"] == 8
        invoices = await shop.at_stripe(buyer, "invoice")
        assert [one["status"] for one in invoices] == ["paid", "paid"]
        [row] = await shop.stage.rows(
            "select quantity, status from tenantry.subscriptions where org_id = $1", ORG_ID.read(buyer.org)
        )
        assert (row["quantity"], row["status"]) == (8, "active")
        asked_for = await shop.stage.behind.recorded("billing.subscription_change_asked")
        assert len([one for one in asked_for if one["org_id"] == str(ORG_ID.read(buyer.org))]) == 1

    return Buying(shop, shop.subscriber, ask, holds)


@pytest.mark.parametrize("scenario", [_checkout, _change], ids=["checkout", "change"])
@pytest.mark.faults
@pytest.mark.timeout(900)
async def test_it_is_bought_once_wherever_whoever_asked_is_killed(
    shop: Selling, chosen: Chosen, scenario: Callable[[Selling], Buying]
) -> None:
    buying = scenario(shop)
    points = await enumerate_points(buying)
    assert sum("commit" in point.unit.sql for point in points) >= 2
    await visit_all(buying, chosen(points))
