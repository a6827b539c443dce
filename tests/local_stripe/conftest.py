"""A local Stripe for each test, the official SDK pointed at it, a listener for its notices, and a plan to sell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import stripe
from aiohttp import web

from tenantry.testing.stripe import LocalStripe, Running, local_stripe

SECRET = "whsec_listener"


@dataclass(repr=False)
class Listener:
    """Somebody who takes notices: what came, verified, and what is answered."""

    url: str = ""
    events: list[stripe.Event] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [one.type for one in self.events]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.events.append(stripe.Webhook.construct_event(body, request.headers["Stripe-Signature"], SECRET))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    one, application = Listener(), web.Application()
    application.router.add_post("/notices", one.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/notices"
    yield one
    await runner.cleanup()


@dataclass(repr=False)
class World:
    """The stand-in, and the SDK that believes in it."""

    running: Running
    listener: Listener
    clients: dict[str, stripe.StripeClient] = field(default_factory=dict)

    @property
    def local(self) -> LocalStripe:
        return self.running.stripe

    def client(self, key: str | None = None, retries: int = 0) -> stripe.StripeClient:
        key = key or self.running.secret_key
        # kept, because each new one reads the certificates of the machine
        return self.clients.setdefault(
            f"{key} {retries}",
            stripe.StripeClient(
                key,
                base_addresses={"api": self.running.url},
                max_network_retries=retries,
            ),
        )

    async def do(self, call: Callable[[Any], Any]) -> Any:
        """What the SDK answers to this call, made in a thread as the SDK blocks."""
        return await asyncio.to_thread(call, self.client().v1)

    async def refused(self, call: Callable[[Any], Any]) -> stripe.StripeError:
        with pytest.raises(stripe.StripeError) as caught:
            await self.do(call)
        return caught.value

    async def price(self, amount: int = 1000, interval: str = "month", **more: Any) -> Any:
        product = await self.do(lambda s: s.products.create({"name": "Pro"}))
        recurring = {"interval": interval}
        given = {"product": product.id, "currency": "usd", "unit_amount": amount, "recurring": recurring, **more}
        return await self.do(lambda s: s.prices.create(given))

    async def customer(self, card: str = "pm_card_visa", **more: Any) -> Any:
        customer = await self.do(lambda s: s.customers.create({"email": "ada@example.com", **more}))
        if not card:
            return customer
        method = await self.do(lambda s: s.payment_methods.attach(card, {"customer": customer.id}))
        settings = {"invoice_settings": {"default_payment_method": method.id}}
        return await self.do(lambda s: s.customers.update(customer.id, settings))

    async def subscription(self, price: Any = None, customer: Any = None, quantity: int = 1, **more: Any) -> Any:
        price, customer = price or await self.price(), customer or await self.customer()
        items = [{"price": price.id, "quantity": quantity}]
        return await self.do(lambda s: s.subscriptions.create({"customer": customer.id, "items": items, **more}))

    async def now(self, subscription: Any) -> Any:
        return await self.do(lambda s: s.subscriptions.retrieve(subscription.id))

    async def invoices(self, subscription: Any) -> list[Any]:
        """Newest first."""
        return (await self.do(lambda s: s.invoices.list({"subscription": subscription.id, "limit": 100}))).data

    async def heard(self) -> list[str]:
        await self.local.deliveries.settled()
        return self.listener.types


@pytest.fixture
async def world(listener: Listener) -> AsyncIterator[World]:
    # the clock stands still, so that a test can say what the time is
    now = time.time()
    async with local_stripe(clock=lambda: now, webhook_url=listener.url, webhook_secret=SECRET) as running:
        yield World(running, listener)
