"""A market for tests of insights: people, organizations that pay at a local Stripe, one clock, and chance."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp

from commands import run
from tenantry.billing import exchanges
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.testing import Client, HandClock, Installation, installed
from tenantry.testing.installation import PASSWORD
from tenantry.testing.stripe import Running, local_stripe

SECRET = "whsec_of_the_market_in_tests"
PLANS = """
default = "free"

[[plans]]
key = "free"
name = "Free"

[[plans]]
key = "seats"
name = "Seats"
prices = [
  { amount = 1299, currency = "eur", per_seat = true },
  { amount = 12345, currency = "eur", interval = "year", per_seat = true },
]
seats = { most = 50 }

[[plans]]
key = "flat"
name = "Flat"
prices = [{ amount = 9900, currency = "eur" }, { amount = 99001, currency = "eur", interval = "year" }]

[[plans]]
key = "tried"
name = "Tried"
prices = [{ amount = 700, currency = "eur" }]
trial_days = 7

[[plans]]
key = "abroad"
name = "Abroad"
prices = [{ amount = 2000, currency = "usd" }]
"""
TABLES = ("insight_people", "insight_orgs", "insight_movements", "insight_subscriptions")


class Market:
    """The installation, its Stripe, and a history that goes by chance."""

    def __init__(self, house: Installation, running: Running, clock: HandClock, http: aiohttp.ClientSession) -> None:
        self.house, self.stripe, self.clock, self._http = house, running.stripe, clock, http
        self.chance = random.Random(9)
        self.people: list[Client] = []
        self.orgs: dict[str, Client] = {}

    @property
    def call(self) -> Call:
        """A call of the house's own."""
        return Call(self.house.runtime, Actor("cli"), "a-market-of-tests")

    @property
    def today(self) -> date:
        """The day that it is."""
        return self.clock.now.date()

    async def heard(self) -> None:
        """Let every notice arrive, with all that follows."""
        for _ in range(3):
            await self.stripe.deliveries.settled()
            await self.house.drain_jobs()

    async def advance(self, days: int) -> None:
        """Let days pass, and what falls due happen."""
        self.clock.advance(days=days)
        self.stripe.catch_up()
        await self.heard()

    async def back(self, person: Client) -> Client:
        """Somebody signed in anew, because so much time has passed."""
        login = await self.house.client.post("/v1/auth/login", {"email": person.email, "password": PASSWORD})
        assert login.status == 200, login
        return self.house.client.signed_in(login.json)

    # what can happen

    async def join(self) -> None:
        """Somebody signs up."""
        self.people.append(await self.house.person())

    async def found(self) -> str:
        """Somebody founds an organization; its id."""
        owner = self.chance.choice(self.people)
        answer = await (await self.back(owner)).post("/v1/orgs", {"name": "Acme"})
        assert answer.status == 201, answer
        self.orgs[answer.json["id"]] = owner
        return str(answer.json["id"])

    async def invite(self) -> None:
        """Somebody is invited, and may accept, and may leave again."""
        org, owner = self.chance.choice(list(self.orgs.items()))
        whom = self.chance.choice(self.people)
        sent = await (await self.back(owner)).post(f"/v1/orgs/{org}/invites", {"email": whom.email, "role": "member"})
        if sent.status == 201 and self.chance.random() < 0.7:
            member = await self.back(whom)
            await member.post("/v1/invites/acceptance", {"invite": sent.json["id"]})
            if self.chance.random() < 0.4:
                await member.delete(f"/v1/orgs/{org}/members/me")

    async def subscribe(self, org: str = "", **wish: Any) -> None:
        """An organization subscribes, if it may."""
        org = org or self.chance.choice(list(self.orgs))
        plan = self.chance.choice(("seats", "flat", "tried", "abroad"))
        interval = {"interval": self.chance.choice(("month", "year"))} if plan in ("seats", "flat") else {}
        seats = {"seats": self.chance.randint(2, 9)} if plan == "seats" else {}
        owner = await self.back(self.orgs[org])
        opened = await owner.post(f"/v1/orgs/{org}/billing/checkout", wish or {"plan": plan, **interval, **seats})
        if opened.status == 201:
            async with self._http.post(opened.json["url"], data={"card": "visa"}, allow_redirects=False) as answer:
                assert answer.status == 303
            await self.heard()

    async def change(self, org: str = "", **wish: Any) -> None:
        """An organization pays for something else, if it may."""
        org = org or self.chance.choice(list(self.orgs))
        wish = wish or self.chance.choice(
            ({"plan": "flat"}, {"plan": "seats", "seats": self.chance.randint(1, 12)}, {"interval": "year"})
        )
        await (await self.back(self.orgs[org])).patch(f"/v1/orgs/{org}/billing/subscription", wish)
        await self.heard()

    async def cancel(self, org: str = "") -> None:
        """An organization cancels, if it pays."""
        org = org or self.chance.choice(list(self.orgs))
        await (await self.back(self.orgs[org])).post(f"/v1/orgs/{org}/billing/cancellation", {})
        await self.heard()

    async def pass_time(self) -> None:
        """Time passes."""
        await self.advance(self.chance.choice((1, 3, 8, 35)))

    async def live(self, steps: int) -> None:
        """So many steps of a history."""
        for _ in range(3):
            await self.join()
            await self.found()
        often = (self.subscribe, self.subscribe, self.change, self.cancel, self.pass_time, self.pass_time)
        for _ in range(steps):
            await self.chance.choice((self.join, self.found, self.invite, *often))()

    async def close(self, org: str) -> None:
        """An organization ends, is closed, and its grace is over."""
        await self.cancel(org)
        await self.advance(370)
        owner = await self.back(self.orgs.pop(org))
        slug = (await owner.get(f"/v1/orgs/{org}")).json["slug"]
        assert (await owner.post(f"/v1/orgs/{org}/closure", {"slug": slug})).status == 200
        await self.house.drain_consumers()
        await self.advance(31)
        # what is left at Stripe is ended first, and the purge comes an hour later
        await self.ask_for_purges()
        await self.advance(1)

    async def ask_for_purges(self) -> None:
        """What happens each hour to those whose grace is over."""
        await self.house.ask(NewJob("orgs.ask_for_purges"))
        await self.house.drain_jobs()

    async def purge(self, org: str) -> None:
        """An organization ends, is closed, and is purged after its grace."""
        await self.close(org)
        await self.ask_for_purges()

    # what is known of it

    async def kept(self, *, whose: bool = True) -> dict[str, list[tuple[Any, ...]]]:
        """What stands in the tables of insights, whatever the generation; without `whose`, added up."""
        found = {}
        for table in TABLES:
            rows = [dict(row) for row in await self.house.rows(f"select * from tenantry.{table}")]
            hidden = {"generation"} if whose else {"generation", "org_id"}
            found[table] = sorted(
                tuple(str(value) for name, value in row.items() if name not in hidden) for row in rows
            )
        return found

    async def show(self, *options: str) -> dict[str, Any]:
        """What `tenantry insights show` says."""
        done = await insights(self.house, "show", *options)
        found: dict[str, Any] = json.loads(done)
        return found


async def insights(house: Installation, *command: str) -> str:
    """What an operator is answered who types it."""
    done = await run([sys.executable, "-m", "tenantry", "insights", *command, "--json"], house, **_clock(house))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _clock(house: Installation) -> dict[str, str]:
    place = Path(house.runtime.settings.data) / "clock"
    return {"TENANTRY_TEST_CLOCK": str(place)} if place.exists() else {}


@asynccontextmanager
async def open_market(url: str, folder: Path, registry: Registry) -> AsyncIterator[Market]:
    """A market with an own Stripe, whose plans are for sale already."""
    clock = HandClock(folder / "clock")
    place = folder / "plans.toml"
    place.write_text(PLANS)
    async with local_stripe(clock=lambda: clock.now) as running, aiohttp.ClientSession() as http:
        environ = {
            "TENANTRY_PLAN_FILE": str(place),
            "TENANTRY_STRIPE_API_BASE": running.url,
            "TENANTRY_STRIPE_SECRET_KEY": running.secret_key,
            "TENANTRY_STRIPE_WEBHOOK_SECRETS": SECRET,
        }
        async with installed(url, folder, registry=registry, environ=environ | clock.environ) as house:
            running.stripe.endpoint(f"{house.origin}/v1/stripe/webhook", SECRET)
            market = Market(house, running, clock, http)
            await exchanges.sync_plans(market.call)
            yield market
