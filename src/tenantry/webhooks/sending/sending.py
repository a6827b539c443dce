"""One attempt: signed, sent, and judged by what came back."""

from __future__ import annotations

import random
import re
import time
from datetime import datetime

from msgspec.structs import replace

from tenantry.foundation.data.ids import EVENT_ID
from tenantry.foundation.net.egress import Answered, NotReached
from tenantry.foundation.runtime import Runtime
from tenantry.webhooks.sending.lane import Attempted, Lane, Target
from tenantry.webhooks.sending.pace import arrived, asked_for, quiet_after, wait_after, window_after
from tenantry.webhooks.sending.signing import signatures
from tenantry.webhooks.sending.statements import Due

AGENT = "Tenantry-Webhooks/1.0"
GONE = 410
ASK_FOR_REST = (429, 502, 503, 504)
"""Answers by which an endpoint says that it is too much; `Retry-After` says for how long."""
_TRACE = re.compile(r"[0-9a-f]{32}")


async def attempt(runtime: Runtime, lane: Lane, target: Target, due: Due) -> Attempted:
    """Send a delivery once, and say what is to become of it."""
    begun_at = runtime.clock.now()
    if due.body is None:
        return Attempted(due, begun_at, "failed", error="what it was to tell is not kept any more")
    body = due.body.encode()
    # a receiver compares with its own clock, which no test clock moves
    headers = {**target.headers, **_headers(due, target, int(time.time()), body)}
    try:
        answered = await runtime.egress.post(target.url, headers=headers, body=body)
    except NotReached as missed:
        lane.wide = window_after(lane.wide, good=False, took=missed.took)
        lane.fares(good=False, quiet=quiet_after(lane.failures + 1))
        return _judged(lane, Attempted(due, begun_at, "later", error=str(missed), took_ms=_ms(missed.took)))
    seen = Attempted(
        due, begun_at, "later", status=answered.status, took_ms=_ms(answered.took), answer=_text(answered.beginning),
        gone=answered.status == GONE,
    )  # fmt: skip
    return _answered(runtime, lane, seen, answered)


def broken(lane: Lane, due: Due, at: datetime) -> Attempted:
    """What becomes of an attempt that never was, because of a mistake of ours."""
    return _judged(lane, Attempted(due, at, "later", error="it could not be sent"))


def _headers(due: Due, target: Target, timestamp: int, body: bytes) -> dict[str, str]:
    id = EVENT_ID.text(due.event_id)
    return {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures(target.secrets, id, timestamp, body),
        "traceparent": f"00-{_trace(due)}-{random.getrandbits(64) or 1:016x}-01",
    }


def _trace(due: Due) -> str:
    """The trace of the request by which it happened; of one whose id is no trace, one of its own."""
    asked = (due.request_id or "").replace("-", "").lower()
    return asked if _TRACE.fullmatch(asked) and asked.strip("0") else due.event_id.hex


def _answered(runtime: Runtime, lane: Lane, seen: Attempted, answered: Answered) -> Attempted:
    good = arrived(answered.status)
    lane.wide = window_after(lane.wide, good=good, took=answered.took)
    if good:
        lane.fares(good=True, quiet=None)
        return replace(seen, fate="delivered")
    tired = answered.status in ASK_FOR_REST
    asked = asked_for(answered.retry_after, runtime.clock.now()) if tired else None
    lane.fares(good=False, quiet=quiet_after(lane.failures + 1, asked))
    return _judged(lane, seen, asked)


def _judged(lane: Lane, seen: Attempted, asked: float | None = None) -> Attempted:
    """What becomes of one that did not arrive; where the order counts it stays first, and all others wait for it."""
    wait = wait_after(seen.due.tries + 1, asked)
    if wait is None:
        return replace(seen, fate="failed")
    if lane.target is not None and lane.target.ordered:
        lane.quiet = max(lane.quiet or 0.0, wait)
        return seen
    return replace(seen, wait=wait)


def _text(beginning: bytes) -> str:
    # what is no text is shown as what it is not, and PostgreSQL has no NUL
    return beginning.decode("utf-8", "replace").replace("\0", "\ufffd")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
