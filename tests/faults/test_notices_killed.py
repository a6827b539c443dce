"""A notice that was taken is applied once, wherever whoever takes it or applies it is killed or cut off."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.lease import QueueWork, rescue
from tenantry.testing import Installation, Response, installed
from tenantry.testing.stripe import Running, local_stripe, signed

from .app import PATIENCE, Stage, asked, eventually, of_a_request, status_of
from .conftest import Chosen, Mortal
from .crash_points import Point, Victim, Window, cut, enumerate_points, sample, visit_all
from .flow import HEALED_WITHIN
from .flows.people import somebody
from .proxy import Speech

SHARE = 0.06
WEBHOOK_SECRET = "whsec_of_these_faults"
NOBODY_HOLDS_IT = "update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second'"
PLANS = """
default = "free"
[[plans]]
key = "free"
name = "Free"
[[plans]]
key = "pro"
name = "Pro"
prices = [{ amount = 1900, currency = "eur" }]
"""
TOLD = """
    select kind, count(*) as times
      from tenantry.events
     where org_id = $1
       and kind like any (array['billing.%', 'plans.%'])
     group by kind
"""
LEFT = """
    select (select count(*) from tenantry.jobs where kind = 'billing.apply_notice')
           + (select count(*) from tenantry.job_runs where kind = 'billing.apply_notice')
           + (select count(*) from tenantry.dead_letters where kind = 'billing.apply_notice') as number
"""
APPLYING = (
    "with recursive waiting", "update tenantry.stripe_notices", "from tenantry.stripe_customers",
    "insert into tenantry.subscriptions", "insert into tenantry.invoices", "insert into tenantry.events",
    "delete from tenantry.job_runs",
)  # fmt: skip
"""What is said to the database for a notice that is applied, by words that each message begins with."""
KEPT = "select state, payload is null as forgotten from tenantry.stripe_notices where id = $1"
_keys = itertools.count(1)


@dataclass(frozen=True)
class Paid:
    """An organization that is a customer, and the notice of its first payment."""

    org_id: UUID
    notice: dict[str, Any]


class Till:
    """A stage that bills with a local Stripe; `house` is past the proxy, in this process."""

    def __init__(self, stage: Stage, house: Installation, running: Running, http: aiohttp.ClientSession) -> None:
        self.stage, self.house, self._running, self._http = stage, house, running, http
        self._price = ""

    async def paid(self) -> Paid:
        """Somebody new pays, and Stripe has not told it yet."""
        person = await somebody(self.stage)
        founded = await person.post("/v1/orgs", {"name": "Acme"})
        customer = (await self._ask("customers", email="ada@example.com"))["id"]
        card = (await self._ask("payment_methods/pm_card_visa/attach", customer=customer))["id"]
        await self._ask(f"customers/{customer}", **{"invoice_settings[default_payment_method]": card})
        [row] = await self.stage.rows(
            "insert into tenantry.stripe_customers (org_id, customer_id, livemode)"
            " select id, $2, false from tenantry.orgs where slug = $1 returning org_id",
            founded.json["slug"],
            customer,
        )
        await self._ask("subscriptions", customer=customer, **{"items[0][price]": await self._for_sale()})
        events = self._running.stripe.books.kinds["event"].values()
        [told] = [
            one for one in events if one["type"] == "invoice.paid" and one["data"]["object"]["customer"] == customer
        ]
        return Paid(row["org_id"], told)

    async def tell(self, paid: Paid, *, past: bool = False) -> Response | None:
        """Tell the app as Stripe does, or the house past the proxy."""
        body = json.dumps(paid.notice).encode()
        signature = signed(body, WEBHOOK_SECRET, int(time.time()))
        headers = {"content-type": "application/json", "stripe-signature": signature}
        client = self.house.client if past else self.stage.client
        return await asked(client.request("POST", "/v1/stripe/webhook", data=body, headers=headers))

    async def is_applied(self, paid: Paid) -> bool:
        """Whether the notice is applied by now."""
        rows = await self.stage.rows(KEPT, paid.notice["id"])
        return [row["state"] for row in rows] == ["applied"]

    async def assert_applied_once(self, paid: Paid) -> None:
        """All that it means is there, once, and nothing is left to do."""
        assert [tuple(row) for row in await self.stage.rows(KEPT, paid.notice["id"])] == [("applied", True)]
        told = {row["kind"]: row["times"] for row in await self.stage.rows(TOLD, paid.org_id)}
        assert set(told.values()) == {1}, told
        assert {"billing.subscription_started", "billing.invoice_paid"} <= set(told)
        [row] = await self.stage.rows("select status from tenantry.subscriptions where org_id = $1", paid.org_id)
        [bill] = await self.stage.rows("select status from tenantry.invoices where org_id = $1", paid.org_id)
        plans = await self.stage.rows("select plan from tenantry.org_plans where org_id = $1", paid.org_id)
        assert (row["status"], bill["status"], [one["plan"] for one in plans]) == ("active", "paid", ["pro"])
        assert await self.stage.value(LEFT) == 0

    async def _for_sale(self) -> str:
        if not self._price:
            product = (await self._ask("products", name="Pro"))["id"]
            named = {"metadata[tenantry_plan]": "pro", "metadata[tenantry_plan_version]": "1"}
            made = await self._ask(
                "prices",
                product=product,
                currency="eur",
                unit_amount="1900",
                **{"recurring[interval]": "month"},
                **named,
            )
            self._price = made["id"]
        return self._price

    async def _ask(self, path: str, **form: str) -> Any:
        headers = {"authorization": f"Bearer {self._running.secret_key}", "idempotency-key": f"fault-{next(_keys)}"}
        async with self._http.post(f"{self._running.url}/v1/{path}", headers=headers, data=form) as answer:
            told = await answer.json()
            assert answer.status == 200, told
            return told


@asynccontextmanager
async def billing(stage: Stage, registry: Registry, folder: Path) -> AsyncIterator[Till]:
    """The stage with a local Stripe."""
    plans = folder / "plans.toml"
    plans.write_text(PLANS)
    async with local_stripe() as running, aiohttp.ClientSession() as http:
        environ = {
            "TENANTRY_STRIPE_API_BASE": running.url,
            "TENANTRY_STRIPE_SECRET_KEY": running.secret_key,
            "TENANTRY_STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "TENANTRY_PLAN_FILE": str(plans),
        }
        stage.app.environment |= environ
        stage.command.environment |= environ
        async with installed(stage.past, folder / "house", registry=registry, environ=environ) as house:
            yield Till(stage, house, running, http)


@pytest.fixture
async def till(stage: Stage, registry: Registry, tmp_path: Path) -> AsyncIterator[Till]:
    async with billing(stage, registry, tmp_path) as made:
        yield made


@pytest.fixture
async def mortal_till(mortal_stage: Stage, registry: Registry, tmp_path: Path) -> AsyncIterator[Till]:
    async with billing(mortal_stage, registry, tmp_path) as made:
        yield made


RUNS = 5
"""Runs of which one must show every step."""


class Taking:
    """A notice that is taken by an app which dies somewhere in it; Stripe tells it again until it is answered."""

    def __init__(self, till: Till, victim: Victim | None = None) -> None:
        self.till, self.stage, self._victim = till, till.stage, victim

    async def prepare(self) -> Paid:
        await self.till.house.drain_jobs()
        paid = await self.till.paid()
        await self.till.house.drain_jobs()
        await self.stage.start()
        return paid

    def window(self) -> AbstractAsyncContextManager[Window]:
        return self.stage.proxy.window(watch=of_a_request)

    async def act(self, client: Paid) -> tuple[Paid, int | None]:
        return client, status_of(await self.till.tell(client))

    async def victim(self) -> None:
        await (self.stage.app.kill if self._victim is None else self._victim)()

    async def restart(self) -> None:
        if self._victim is None:
            await self.stage.start()

    async def check(self, outcome: tuple[Paid, int | None]) -> None:
        paid, first = outcome
        kept = len(await self.stage.rows(KEPT, paid.notice["id"]))
        assert await self.stage.value(LEFT) == kept, "a notice without its job, or a job without its notice"
        if first == 202:
            assert kept == 1

        async def taken() -> bool:
            return status_of(await self.till.tell(paid)) == 202

        # told anew whether or not it was answered: an answer can be lost too
        await eventually(taken, HEALED_WITHIN)
        await self.till.house.drain_jobs()
        await self.till.assert_applied_once(paid)


def of_a_job(speech: Speech) -> bool:
    """Whether a connection claims, runs or finishes jobs; what else a worker does beside it is not of the notice."""
    return of_a_request(speech) and "read only" not in speech.opening


class Applying:
    """A notice that is applied by a worker which dies somewhere in it."""

    def __init__(self, till: Till, victim: Victim | None = None) -> None:
        self.till, self.stage, self.worker, self._victim = till, till.stage, till.stage.command, victim
        self.worker.words = ("worker",)

    async def prepare(self) -> Paid:
        await self.worker.kill()
        paid = await self.till.paid()
        await self.till.house.drain_jobs()
        assert status_of(await self.till.tell(paid, past=True)) == 202
        return paid

    def window(self) -> AbstractAsyncContextManager[Window]:
        return self.stage.proxy.window(watch=of_a_job)

    async def act(self, client: Paid) -> Paid:
        self.worker.start()

        async def over() -> bool:
            return not self.worker.running or await self.till.is_applied(client)

        await eventually(over, PATIENCE)
        return client

    async def victim(self) -> None:
        await (self.worker.kill if self._victim is None else self._victim)()

    async def restart(self) -> None:
        # how long a lease is left to the dead, and how soon that is seen, is the queue's own test
        await self.stage.rows(NOBODY_HOLDS_IT + " returning id")
        async with QueueWork(self.stage.behind.runtime, reason="a trial") as work:
            await rescue(work)
        if not self.worker.running:
            self.worker.start()

    async def check(self, outcome: Paid) -> None:
        async def over() -> bool:
            return await self.till.is_applied(outcome) and await self.stage.value(LEFT) == 0

        await eventually(over, PATIENCE)
        await self.worker.kill()
        await self.till.assert_applied_once(outcome)


@pytest.fixture
def few(request: pytest.FixtureRequest) -> Callable[[Sequence[Point]], list[Point]]:
    """Each point with --all-faults, else a few: each costs two starts of a worker."""
    return list if request.config.getoption("--all-faults") else lambda points: sample(points, SHARE)


async def _take(taking: Taking, chosen: Chosen) -> None:
    points = await enumerate_points(taking)
    said = [point.unit.sql for point in points]
    assert any("insert into tenantry.stripe_notices" in sql for sql in said), said
    assert any("commit" in sql for sql in said), said
    await visit_all(taking, chosen(points))


async def _apply(applying: Applying, few: Callable[[Sequence[Point]], list[Point]]) -> None:
    # the first worker on a database has more to say: schedules are new to it. What is said in one run and not in
    # another, which connection prepares what for instance, is chance
    always = {_said(point) for point in await _whole(applying)}
    points = [point for point in await _whole(applying) if _is_of_the_notice(point) and _said(point) in always]
    await visit_all(applying, few(points))
    await applying.worker.kill()


async def _whole(applying: Applying) -> list[Point]:
    """The points of a run in which every step was seen; a connection that has just read hides what it does next."""
    said: list[str] = []
    for _ in range(RUNS):
        found = await enumerate_points(applying, by_turn=True)
        said = [point.unit.sql for point in found]
        if all(any(step in sql for sql in said) for step in APPLYING):
            return found
    raise AssertionError(f"never was {APPLYING} seen whole: {said}")


def _said(point: Point) -> tuple[str, str, int | None]:
    return point.unit.kinds, point.unit.sql, point.turn


def _is_of_the_notice(point: Point) -> bool:
    """Whether a point is in what is done for the notice: a worker also looks after schedules, consumers and queues."""
    if point.unit.sql == "commit":
        # claimed, begun, applied: others may come before, after or not at all
        return point.turn is not None and point.turn <= 3
    return any(step in point.unit.sql for step in APPLYING)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_notice_is_taken_once_wherever_whoever_takes_it_is_killed(till: Till, chosen: Chosen) -> None:
    await _take(Taking(till), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_notice_is_taken_once_wherever_the_connection_is_cut(till: Till, chosen: Chosen) -> None:
    await _take(Taking(till, cut), chosen)


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_a_notice_is_taken_once_wherever_the_database_is_killed(
    mortal_till: Till, mortal: Mortal, chosen: Chosen
) -> None:
    await _take(Taking(mortal_till, mortal.kill), chosen)


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_a_notice_is_applied_once_wherever_its_worker_is_killed(
    till: Till, few: Callable[[Sequence[Point]], list[Point]]
) -> None:
    await _apply(Applying(till), few)


@pytest.mark.faults
@pytest.mark.timeout(3600)
async def test_a_notice_is_applied_once_wherever_its_workers_connection_is_cut(
    till: Till, few: Callable[[Sequence[Point]], list[Point]]
) -> None:
    await _apply(Applying(till, cut), few)
