"""A shop for tests: an installation that sells a plan file's plans with the local Stripe, and one clock for both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from billing_kit import org_uuid

from tenantry.billing import exchanges
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.domain import Registry
from tenantry.testing import Client, HandClock, Installation, Response, Team, installed
from tenantry.testing.installation import PASSWORD
from tenantry.testing.stripe import LocalStripe, Running, local_stripe

SECRET = "whsec_of_the_shop_in_tests"
SHOP = """
default = "free"

[features]
sso = "Single sign-on"

[limits]
seats = "Members and invites"
projects = "Projects"

[[plans]]
key = "free"
name = "Free"
limits = { seats = 3, projects = 2 }

[[plans]]
key = "team"
name = "Team"
features = ["sso"]
limits = { projects = 50 }
prices = [
  { amount = 1200, currency = "eur", per_seat = true },
  { amount = 12000, currency = "eur", interval = "year", per_seat = true },
]
seats = { least = 2, most = 50 }
trial_days = 14

[[plans]]
key = "growing"
name = "Growing"
features = ["sso"]
prices = [{ amount = 500, currency = "eur", per_seat = true }]
seats = { most = 8, grow = true }

[[plans]]
key = "tried"
name = "Tried"
prices = [{ amount = 700, currency = "eur", per_seat = true }]
seats = { grow = true }
trial_days = 7

[[plans]]
key = "business"
name = "Business"
features = ["*"]
limits = { seats = 100 }
prices = [
  { amount = 9900, currency = "eur" },
  { amount = 99000, currency = "eur", interval = "year" },
]
"""


class Shop:
    """The installation, its Stripe, and what people and banks do with them."""

    def __init__(self, house: Installation, running: Running, clock: HandClock, http: aiohttp.ClientSession) -> None:
        self.house = house
        self.running = running
        self.stripe: LocalStripe = running.stripe
        self.clock = clock
        self._http = http

    @property
    def call(self) -> Call:
        """A call of the house's own."""
        return Call(self.house.runtime, Actor("cli"), "a-shop-of-tests")

    async def heard(self) -> None:
        """Let every notice arrive, and be applied, with all that follows from it."""
        for _ in range(3):
            await self.stripe.deliveries.settled()
            await self.house.drain_jobs()

    async def advance(self, **duration: float) -> None:
        """Let time pass for everybody, and what falls due happen and be heard of."""
        self.clock.advance(**duration)
        self.stripe.catch_up()
        await self.heard()

    async def back(self, person: Client) -> Client:
        """Somebody again, after so long that their token has run out."""
        login = await self.house.client.post("/v1/auth/login", {"email": person.email, "password": PASSWORD})
        assert login.status == 200, login
        return self.house.client.signed_in(login.json)

    async def checkout(self, person: Client, team: Team, plan: str = "team", **more: Any) -> Response:
        """Ask for a page to subscribe on."""
        return await person.post(f"{team.path}/billing/checkout", {"plan": plan, **more})

    async def press(self, url: str, **fields: str) -> tuple[int, str]:
        """Press a button of a page at Stripe's; the status, and where it leads."""
        async with self._http.post(url, data=fields, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "")

    async def subscribe(self, person: Client, team: Team, plan: str = "team", card: str = "visa", **more: Any) -> Any:
        """Open a checkout, pay on it, and let the house hear of that; the checkout as it was opened."""
        opened = await self.checkout(person, team, plan, **more)
        assert opened.status == 201, opened
        status, _ = await self.press(opened.json["url"], card=card)
        assert status == 303
        await self.heard()
        return opened.json

    async def customer_of(self, team: Team) -> str:
        """The organization's customer at Stripe."""
        [row] = await self.house.rows(
            "select customer_id from tenantry.stripe_customers where org_id = $1", org_uuid(team)
        )
        return str(row["customer_id"])

    async def standing(self, team: Team) -> dict[str, str]:
        """Which plan the organization holds, for each reason."""
        rows = await self.house.rows("select source, plan from tenantry.org_plans where org_id = $1", org_uuid(team))
        return {row["source"]: row["plan"] for row in rows}

    def at_stripe(self, kind: str) -> list[dict[str, Any]]:
        """All of a kind that Stripe has, the oldest first."""
        return list(self.stripe.books.kinds[kind].values())


@asynccontextmanager
async def open_shop(url: str, folder: Path, registry: Registry, plans: str = SHOP, **more: str) -> AsyncIterator[Shop]:
    """A shop with an own Stripe, whose plans are for sale already."""
    clock = HandClock(folder / "clock")
    place = folder / "plans.toml"
    place.write_text(plans)
    async with local_stripe(clock=lambda: clock.now) as running, aiohttp.ClientSession() as http:
        environ = {
            "TENANTRY_PLAN_FILE": str(place),
            "TENANTRY_STRIPE_API_BASE": running.url,
            "TENANTRY_STRIPE_SECRET_KEY": running.secret_key,
            "TENANTRY_STRIPE_WEBHOOK_SECRETS": SECRET,
        }
        async with installed(url, folder, registry=registry, environ=environ | clock.environ | more) as house:
            running.stripe.endpoint(f"{house.origin}/v1/stripe/webhook", SECRET)
            shop = Shop(house, running, clock, http)
            await exchanges.sync_plans(shop.call)
            yield shop
