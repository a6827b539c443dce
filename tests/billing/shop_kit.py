"""A plan file, a local Stripe that counts what is written to it, and calls of an operator who sells there."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import msgspec

from tenantry.billing.settings import BillingSettings
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.neighbours import Neighbours
from tenantry.foundation.security.secret import Secret
from tenantry.plans.settings import PlanSettings
from tenantry.testing import Installation
from tenantry.testing.installation import MASTER_KEYS
from tenantry.testing.stripe import LocalStripe, local_stripe
from tenantry.testing.stripe.server import Answer, Request

PLANS = """
default = "free"

[features]
sso = "Single sign-on"
exports = "Exports"

[[plans]]
key = "free"
name = "Free"

[[plans]]
key = "pro"
name = "Pro"
features = ["sso"]
prices = [
  { amount = 1200, currency = "eur", per_seat = true },
  { amount = 12000, currency = "eur", interval = "year", per_seat = true },
  { amount = 150000, currency = "jpy" },
]
seats = { least = 1, most = 50 }

[[plans]]
key = "all"
name = "All"
features = ["*"]
prices = [{ amount = 0, currency = "usd" }]
"""
_numbers = itertools.count(1)


class Shop(LocalStripe):
    """A local Stripe that remembers what was written; `before` may keep a write from coming, or its answer."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.written: list[str] = []
        self.around: Callable[[int, Callable[[], Awaitable[Answer]]], Awaitable[Answer]] | None = None

    async def answer(self, request: Request) -> Answer:
        async def on() -> Answer:
            return await super(Shop, self).answer(request)

        if request.method == "GET":
            return await on()
        self.written.append(f"{request.method} {request.path.removeprefix('/v1/')}")
        return await on() if self.around is None else await self.around(len(self.written), on)

    def sold(self) -> dict[str, Any]:
        """What can be bought, and what is archived, by names; ids that Stripe chose are left out."""
        kinds = self.books.kinds
        attached = {
            (self.books.secrets[f"product:{one['id']}"], one["entitlement_feature"]["lookup_key"])
            for one in kinds["product_feature"].values()
        }
        return {
            "products": {one["id"]: (one["name"], one["active"]) for one in kinds["product"].values()},
            "prices": {
                one["lookup_key"]: (one["product"], one["unit_amount"], one["currency"], one["recurring"]["interval"])
                for one in kinds["price"].values()
                if one["active"]
            },
            "features": {
                one["lookup_key"]: (one["name"], one["active"]) for one in kinds["entitlements.feature"].values()
            },
            "attached": attached,
        }

    @property
    def prices(self) -> list[dict[str, Any]]:
        """All prices, archived ones too, the oldest first."""
        return list(self.books.kinds["price"].values())


@asynccontextmanager
async def shop(**given: Any) -> AsyncIterator[tuple[Shop, str]]:
    """One that listens, and where."""
    async with local_stripe(Shop(**given)) as running:
        assert isinstance(running.stripe, Shop)
        yield running.stripe, running.url


def plan_file(folder: Path, text: str = PLANS) -> str:
    """A plan file of its own, because a process reads each once."""
    place = folder / f"plans-{next(_numbers)}.toml"
    place.write_text(text)
    return str(place)


@asynccontextmanager
async def operator(house: Installation, url: str, plans: str, key: str | None = "sk_test_local") -> AsyncIterator[Call]:
    """A process of its own that sells by a plan file, on the database of an installation."""
    billing = BillingSettings(stripe_api_base=url, stripe_secret_key=None if key is None else Secret(key))
    sections = {**house.runtime.sections, BillingSettings: billing, PlanSettings: PlanSettings(plan_file=plans)}
    runtime = msgspec.structs.replace(house.runtime, sections=sections, neighbours=Neighbours())
    try:
        yield Call(runtime, Actor("cli", name="plans sync"), "request-of-a-test")
    finally:
        await runtime.neighbours.close()


async def killed_at(asked: Callable[[], Awaitable[Any]], stripe: Shop, write: int, *, carried_out: bool) -> bool:
    """Do something and stop dead at a write, which Stripe carries out or not; False if there was none."""
    reached, never = asyncio.Event(), asyncio.Event()
    first = len(stripe.written)

    async def around(number: int, on: Callable[[], Awaitable[Answer]]) -> Answer:
        if number != first + write:
            return await on()
        answer = await on() if carried_out else Answer(0, {}, b"")
        reached.set()
        # whoever asked is gone before this could be read
        await asyncio.wait([asyncio.create_task(never.wait())], timeout=5)
        return answer

    stripe.around = around
    task = asyncio.ensure_future(asked())
    waiting = asyncio.create_task(reached.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=30)
    task.cancel()
    waiting.cancel()
    await asyncio.gather(task, waiting, return_exceptions=True)
    never.set()
    stripe.around = None
    return reached.is_set()


async def typed(house: Installation, url: str, plans: str, *command: str, **more: str) -> CompletedProcess[str]:
    """What an operator types, in a process of its own; `more` are settings besides."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TENANTRY_")}
    environ = inherited | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TENANTRY_ENVIRONMENT": "development",
        "TENANTRY_DATABASE_URL": house.runtime.database.url,
        "TENANTRY_DATA": house.runtime.settings.data,
        "TENANTRY_MASTER_KEYS": MASTER_KEYS,
        "TENANTRY_PLAN_FILE": plans,
        "TENANTRY_STRIPE_API_BASE": url,
        "TENANTRY_STRIPE_SECRET_KEY": "sk_test_local",
        **more,
    }
    return await asyncio.to_thread(
        subprocess.run, command, env=environ, capture_output=True, text=True, check=False, timeout=120,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
