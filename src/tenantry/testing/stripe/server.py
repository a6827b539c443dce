"""The local Stripe as a whole: it takes requests one after the other, and answers API calls and page clicks."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tenantry.testing.stripe import endpoints, keeping, nouns, refunds
from tenantry.testing.stripe.books import Books, Rules, Thing
from tenantry.testing.stripe.clicks import Click
from tenantry.testing.stripe.clock import Clock, caught_up
from tenantry.testing.stripe.deliveries import Deliveries
from tenantry.testing.stripe.expansion import expanded
from tenantry.testing.stripe.faults import CUT, Fault, Faults, refusal
from tenantry.testing.stripe.idempotency import Answers
from tenantry.testing.stripe.keeping import Keeper
from tenantry.testing.stripe.pages import shown
from tenantry.testing.stripe.routes import Asked, routed
from tenantry.testing.stripe.wire import API_VERSION, Refusal, invalid, read_form

NOUNS = nouns.ALL
SECRET_KEY, WEBHOOK_SECRET = "sk_test_local", "whsec_local"
OWN_ENDPOINT = "own endpoint"
TICK = 0.5


@dataclass(slots=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    base_url: str


@dataclass(slots=True)
class Answer:
    """One HTTP answer; `status` 0 means that the connection is cut."""

    status: int
    headers: dict[str, str]
    body: bytes


class LocalStripe:
    """A Stripe account of one's own, in memory.

    `clock` answers the present (a datetime, or seconds since 1970). With `webhook_url` an endpoint is entered from the
    start. Deliveries and what falls due run while the object is entered as an async context manager. With `kept_in`
    it goes on where that file ended, and no change is answered before it is in there.
    """

    def __init__(
        self,
        clock: Callable[[], datetime | float] = time.time,
        webhook_url: str | None = None,
        webhook_secret: str = WEBHOOK_SECRET,
        *,
        secret_key: str = SECRET_KEY,
        rules: Rules | None = None,
        public_url: str | None = None,
        kept_in: Path | None = None,
    ) -> None:
        self.source = lambda: _seconds(clock())
        self.clock = Clock(self.source)
        self.books = Books(self.clock.now, rules or Rules())
        self.deliveries = Deliveries(self.books, clock=self.source)
        self.faults, self.answers = Faults(), Answers()
        self.secret_key, self.webhook_secret = secret_key, webhook_secret
        self.public_url = public_url
        self._running = AsyncExitStack()
        self._keeper = Keeper(kept_in, self) if kept_in else None
        self.began_anew = not (kept_in and self._go_on(kept_in))
        self._point(webhook_url)

    def _go_on(self, file: Path) -> bool:
        state = keeping.read(file)
        if state is not None:
            keeping.restore(self, state)
        return state is not None

    def _point(self, url: str | None) -> None:
        known = {one["url"] for one in self.books.kinds["webhook_endpoint"].values()}
        if url and url not in known:
            self.endpoint(url, self.webhook_secret)

    def point(self, url: str, secret: str) -> None:
        """Have the account's own endpoint be here, wherever it was before."""
        known = self.books.find("webhook_endpoint", self.books.secrets.get(OWN_ENDPOINT))
        if known is None:
            known = self.endpoint(url, secret)
            self.books.keep(OWN_ENDPOINT, known["id"])
        self.books.change(known, url=url)
        self.books.keep(f"endpoint:{known['id']}", secret)
        self.books.settle()

    def endpoint(self, url: str, secret: str = WEBHOOK_SECRET, *events: str) -> Thing:
        """Deliver notices there from now on."""
        endpoint = endpoints.entered(self.books, url, secret, list(events) or ["*"])
        self.books.settle()
        return endpoint

    async def __aenter__(self) -> Self:
        if self._keeper is not None:
            self.deliveries.kept = self._keeper.kept
            keeping_on = asyncio.get_running_loop().create_task(self._keeper.run())
            self._running.push_async_callback(_ended, self._keeper, keeping_on)
        await self._running.enter_async_context(self.deliveries)
        ticking = asyncio.get_running_loop().create_task(self._tick())
        self._running.push_async_callback(_stopped, ticking)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    async def _tick(self) -> None:
        while True:
            self.catch_up()
            await asyncio.sleep(TICK)

    def catch_up(self) -> None:
        """Do what fell due."""
        self.books.request = {"id": None, "idempotency_key": None}
        caught_up(self.books, self.clock.now())
        self.deliveries.take(self.books.settle())

    async def answer(self, request: Request) -> Answer:
        """Carry a request out; none sees another half done, because nothing here waits until it is done."""
        answer = await self._answered(request)
        if self._keeper is None or await self._keeper.kept(self.books.changes):
            return answer
        refused = Refusal(500, "The local Stripe could not keep what was done.", kind="api_error")
        return Answer(500, {"Content-Type": "application/json"}, _json(refused.body))

    async def _answered(self, request: Request) -> Answer:
        self.books.base_url = self.public_url or request.base_url
        self.catch_up()
        if not request.path.startswith("/v1"):
            return self._page(request)
        fault = self.faults.strike(request.method, request.path)
        if fault is not None and fault.seconds:
            await asyncio.sleep(fault.seconds)
        return self._api(request, fault)

    def _page(self, request: Request) -> Answer:
        if request.method == "POST" and request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return Answer(403, {"Content-Type": "text/plain"}, b"Only pages of the local Stripe can press its buttons.")
        click = Click(self, request.method, request.path, read_form(request.query), read_form(request.body.decode()))
        status, headers, body = shown(click)
        self.deliveries.take(self.books.settle())
        return Answer(status, headers, body.encode())

    def _api(self, request: Request, fault: Fault | None) -> Answer:
        request_id = self.books.new_id("req")
        key = request.headers.get("idempotency-key", "") if request.method == "POST" else ""
        headers = {"Content-Type": "application/json", "Request-Id": request_id, "Stripe-Version": API_VERSION}
        headers |= {"Idempotency-Key": key} if key else {}
        status, body, more = self._kept_or_new(request, fault, key, request_id)
        if fault is not None and fault.status == CUT:
            status = CUT
        return Answer(status, headers | more, body)

    def _kept_or_new(
        self, request: Request, fault: Fault | None, key: str, request_id: str
    ) -> tuple[int, bytes, dict[str, str]]:
        try:
            self._authorize(request)
            if fault is not None and fault.status != CUT and not fault.after:
                raise refusal(fault)
            kept = self.answers.known(key, request.method, request.path, request.body) if key else None
            if kept is not None:
                return kept.status, kept.body, {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
            if fault is None or fault.status != CUT or fault.after:
                status, body = 200, _json(self._carried_out(request, request_id, key))
            else:
                return CUT, b"", {}
            if fault is not None and fault.after and fault.status != CUT:
                raise refusal(fault)
        except Refusal as error:
            if not key or not error.executed:
                return error.status, _json(error.body), {}
            status, body = error.status, _json(error.body)
        if key:
            self.answers.keep(key, request.method, request.path, request.body, (status, body, request_id))
            self.books.touched()
        return status, body, {}

    def _authorize(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        token = given.partition(" ")[2]
        if given.lower().startswith("basic "):
            with contextlib.suppress(ValueError):
                token = base64.b64decode(token).decode().partition(":")[0]
        if token != self.secret_key:
            shown_key = f"{token[:8]}****" if token else "none"
            raise Refusal(401, f"Invalid API Key provided: {shown_key}", executed=False)
        version = request.headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            raise Refusal(400, f"The local Stripe speaks {API_VERSION} only, not {version}.", executed=False)

    def _carried_out(self, request: Request, request_id: str, key: str) -> Thing:
        route, path = routed(request.method, request.path)
        if len(request.query) and len(request.body):
            raise invalid("Parameters stand in the query or in the body, not in both.")
        params = route.read(read_form(request.query or request.body.decode()))
        paths = params.pop("expand", [])
        self.books.request = {"id": request_id, "idempotency_key": key or None}
        try:
            with self.books.all_or_nothing():
                thing = route.endpoint(Asked(self.books, path, params))
                return expanded(self.books, thing, paths)
        finally:
            self.deliveries.take(self.books.settle())

    # handles

    async def advance(self, **duration: float) -> None:
        """Move the clock ahead, by `days=31` or `seconds=5`; what falls due on the way happens."""
        days, seconds = duration.pop("days", 0), duration.pop("seconds", 0)
        seconds += duration.pop("hours", 0) * 3600 + duration.pop("minutes", 0) * 60 + days * 86_400
        if duration or seconds < 0:
            raise ValueError("a clock moves ahead by days, hours, minutes and seconds")
        self.clock.ahead += int(seconds)
        self.books.touched()
        self.catch_up()

    def fail(
        self, status: int = 500, *, times: int = 1, method: str = ".*", path: str = ".*", after: bool = False,
        seconds: float = 0,
    ) -> Fault:  # fmt: skip
        """Have the next requests fail with this status, 0 for a cut connection; `after` carries them out first."""
        return self.faults.order(Fault(status, times, method, path, after, seconds))

    def decline(self, id_: str, code: str = "generic_decline", *, times: int = 0) -> None:
        """Have the bank decline charges of this customer, or of this card; `authenticate` asks the cardholder.

        It does so until it is told otherwise, or that many times.
        """
        self.books.keep(f"bank:{id_}", code)
        self.books.keep(f"bank:times:{id_}", times)
        self.books.settle()

    def accept(self, id_: str) -> None:
        """Have the bank accept charges of this customer or card, whatever card it is."""
        self.decline(id_, "accept")

    def dispute(self, charge: str, reason: str = "fraudulent") -> Thing:
        """Have the cardholder dispute this charge."""
        dispute = refunds.disputed(self.books, self.books.get("charge", charge), reason)
        self.deliveries.take(self.books.settle())
        return dispute

    def close_dispute(self, dispute: str, *, won: bool) -> Thing:
        """Have the bank decide a dispute."""
        closed = refunds.dispute_closed(self.books, self.books.get("dispute", dispute), won=won)
        self.deliveries.take(self.books.settle())
        return closed


def _json(thing: Any) -> bytes:
    return json.dumps(thing).encode()


def _seconds(instant: datetime | float) -> float:
    return instant.timestamp() if isinstance(instant, datetime) else float(instant)


async def _ended(keeper: Keeper, task: asyncio.Task[None]) -> None:
    keeper.end()
    await task


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
