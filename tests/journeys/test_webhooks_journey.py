"""A customer is told: somebody joins, the receiver fails twice, gets it at the third attempt, and asks for it again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook, WebhookVerificationError

from patience import until
from tenantry.entrypoints.worker.serving import serve
from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Databases, HandClock, Installation, installed


class Told(NamedTuple):
    """A message that was verified."""

    id: str
    timestamp: int
    body: dict[str, Any]


class Customer:
    """Whoever receives: verifies by the public library, and answers as they can."""

    def __init__(self) -> None:
        self.secret = ""
        self.told: list[Told] = []
        self.refused = 0
        self.answers: deque[int] = deque()

    async def hear(self, request: web.Request) -> web.Response:
        """Verify a message, then answer."""
        headers, body = dict(request.headers), await request.read()
        try:
            verified = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            self.refused += 1
            return web.Response(status=401)
        lower = {name.lower(): value for name, value in headers.items()}
        self.told.append(Told(lower["webhook-id"], int(lower["webhook-timestamp"]), verified))
        return web.Response(status=self.answers.popleft() if self.answers else 204)


@pytest.fixture
async def customer() -> AsyncIterator[tuple[Customer, TestServer]]:
    """A customer with a server."""
    customer, app = Customer(), web.Application()
    app.router.add_post("/hooks", customer.hear)
    async with TestServer(app) as server:
        yield customer, server


@asynccontextmanager
async def working(house: Installation, registry: Registry) -> AsyncIterator[None]:
    """A worker with all that runs beside its jobs."""
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(house.runtime, registry, stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await serving


async def _done(answer: Any, status: int = 200) -> Any:
    assert answer.status == status, answer
    return answer.json if answer.body else None


async def _join(house: Installation, owner: Client, org: str, person: Client) -> None:
    """Have somebody be invited by mail, and come."""
    await _done(await owner.post(f"/v1/orgs/{org}/invites", {"email": person.email, "role": "member"}), 201)
    token = await until(lambda: _invited(house, person.email))
    await _done(await person.post("/v1/invites/acceptance", {"token": token}))


async def _invited(house: Installation, email: str) -> str | None:
    found = [mail for mail in await house.mails() if mail.to == email and "/invite" in mail.text]
    return await house.mailed_token(email) if found else None


async def test_a_customer_is_told_who_joined_through_failures_and_again_when_asked(
    databases: Databases, registry: Registry, tmp_path: Path, clock: HandClock, customer: tuple[Customer, TestServer]
) -> None:
    receiver, server = customer
    environ = clock.environ | {"TENANTRY_EGRESS_ALLOW": f"127.0.0.1:{server.port}"}
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh())
        house = await stack.enter_async_context(installed(url, tmp_path, registry=registry, environ=environ))
        ada, bob, cleo = [await house.person(f"{name}@told.example") for name in ("ada", "bob", "cleo")]
        await stack.enter_async_context(working(house, registry))
        org = (await _done(await ada.post("/v1/orgs", {"name": "Acme"}), 201))["id"]
        # what was before an endpoint is told it only when it asks
        clock.advance(seconds=1)
        asked = {"url": str(server.make_url("/hooks")), "events": ["member.*"]}
        path = f"/v1/orgs/{org}/webhook-endpoints"
        endpoint = await _done(await ada.post(path, asked), 201)
        receiver.secret, path = endpoint["secret"], f"{path}/{endpoint['id']}"

        # it fails twice, and gets the retries when their time has come: 5 s, and 5 min after that, a fifth more at most
        receiver.answers.extend([500, 503])
        await _join(house, ada, org, bob)
        await until(lambda: len(receiver.told) == 1)
        for seen, wait in ((2, 6.5), (3, 361.0)):
            await until(lambda: _pending(ada, path, seen - 1))  # noqa: B023  (asked at once)
            assert len(receiver.told) == seen - 1, "it came before its time"
            clock.advance(seconds=wait)
            await until(lambda: len(receiver.told) == seen)  # noqa: B023
        ada, cleo = await _refreshed(house, ada), await _refreshed(house, cleo)
        await until(lambda: _state(ada, path, "delivered"))

        first, second, third = receiver.told
        assert first.id == second.id == third.id
        # each is of its own moment by the world's clock, on which the library insists; the test's moves on by minutes
        assert first.timestamp <= second.timestamp <= third.timestamp
        assert first.body == second.body == third.body
        assert first.body["type"] == "member.joined"
        assert first.body["data"] == {"org_id": org, "user_id": bob.user_id, "role": "member"}
        assert first.body["id"] == first.id
        [delivery] = (await _done(await ada.get(f"{path}/deliveries")))["items"]
        whole = await _done(await ada.get(f"{path}/deliveries/{delivery['id']}"))
        assert [(one["number"], one["status"]) for one in reversed(whole["log"])] == [(1, 500), (2, 503), (3, 204)]

        # another joins; the customer loses all that it has, and asks for the hour
        await _join(house, ada, org, cleo)
        await until(lambda: len(receiver.told) == 4)
        await until(lambda: _state(ada, path, "delivered", of=2))
        before = {one.id: one.body for one in receiver.told}
        receiver.told.clear()
        # the span ends before the moment at which it is asked for
        clock.advance(seconds=1)
        since = (clock.now - timedelta(hours=1)).isoformat()
        job = (await _done(await ada.post(f"{path}/replay", {"since": since, "which": "all"}), 202))["job"]
        await until(lambda: _job_done(ada, org, job))
        # what was before the endpoint too: Ada founded it
        await until(lambda: len(receiver.told) == 3)
        told = {one.id: one.body for one in receiver.told}
        assert before.items() <= told.items()
        joined = {body["data"]["user_id"] for body in told.values()}
        assert joined == {ada.user_id, bob.user_id, cleo.user_id}
        assert receiver.refused == 0


async def _refreshed(house: Installation, person: Client) -> Client:
    """Somebody whose access token may be over."""
    given = {"refresh_token": person.tokens["refresh_token"]}
    return person.signed_in(await _done(await house.client.post("/v1/auth/refresh", given)))


async def _pending(person: Client, path: str, attempts: int) -> bool:
    """Whether so many attempts of the only delivery are written down, and it waits for the next."""
    items = (await _done(await person.get(f"{path}/deliveries")))["items"]
    return [(one["state"], one["attempts"]) for one in items] == [("pending", attempts)]


async def _state(person: Client, path: str, state: str, *, of: int = 1) -> bool:
    items = (await _done(await person.get(f"{path}/deliveries")))["items"]
    return [one["state"] for one in items] == [state] * of


async def _job_done(person: Client, org: str, job: str) -> bool:
    return bool((await _done(await person.get(f"/v1/orgs/{org}/jobs/{job}")))["state"] == "done")
