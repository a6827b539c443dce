"""Reconciling: our rows and Stripe's compared a page at a time, with no connection to the database held meanwhile.

Three steps: Stripe's list of subscriptions, those of ours that were not on it, and what Stripe told and never arrived,
which is kept as a notice and applied as one. What is done stays done, whatever fails after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from tenantry.billing import actions, queries, stripe
from tenantry.billing.exchanges.asking import STRIPES, ask_anew, truth_of
from tenantry.billing.models import SUBJECTS, Round, Told, Truth
from tenantry.billing.problems import BillingOff, OtherAccount
from tenantry.billing.settings import BillingSettings
from tenantry.billing.stripe import shapes
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

REMEMBERED = 29 * 86_400
"""Seconds that Stripe remembers what it told, with a day to spare."""
OVERLAP = 3600
"""Seconds before the last comparison that are looked at once more: clocks differ, and what is told may come late."""
OF_OURS = 20
"""Subscriptions of ours that are asked for one by one in a step."""
SUSPICIOUS = 3
"""Subscriptions that live here, all of them unknown to a Stripe that has no other of ours: it is another account."""
REPLAYED = 1000
"""Notices whose customer became known that are applied after one comparison, at most."""
Shape = TypeVar("Shape")


@exchange(requires=HOUSE)
async def begin_round(call: Call, *, whole: bool = False) -> Round:
    """Begin to compare: from the last time on, or all that Stripe ever had."""
    if not call.runtime.section(BillingSettings).on:
        raise BillingOff
    now = int(call.runtime.clock.now().timestamp())
    async with SystemWork(call, reason=STRIPES) as work:
        place = await actions.take_place(work)
        known = await queries.heard_until(work)
    since = now - REMEMBERED
    if known is not None and known.heard_until is not None and not whole:
        since = max(since, known.heard_until - OVERLAP)
    return Round(since=since, began_at=now, place=place, whole=whole)


@exchange(requires=HOUSE)
async def go_on(call: Call, *, round_: Round) -> Round:
    """Compare one page more, and end the round after the last."""
    reached = await _STEPS[round_.step](call, round_)
    if not reached.over:
        return reached
    async with SystemWork(call, reason=STRIPES) as work:
        replayed = await actions.replay_orphans(work, most=REPLAYED)
        await actions.end_round(work, over=reached)
    return msgspec.structs.replace(reached, replayed=replayed)


async def _listed(call: Call, now: Round) -> Round:
    """Stripe's subscriptions, and whether ours are as they are."""
    asked = await _place(call)
    status = "all" if now.whole else None
    page = await stripe.subscriptions_page(call.runtime, after=now.after, status=status)
    told, unread = _read(page.data, shapes.Subscription)
    async with SystemWork(call, reason=STRIPES) as work:
        compared = await actions.compare_subscriptions(work, told=told, asked=asked)
    differed = 0
    for one in compared.differing:
        differed += await _mend(call, truth_of(one, asked)) or 0
    return msgspec.structs.replace(
        now, looked=now.looked + len(page.data), differed=now.differed + differed, unread=now.unread + unread,
        unknown=now.unknown + compared.unknown, **_next(page, now, "ours"),
    )  # fmt: skip


async def _ours(call: Call, now: Round) -> Round:
    """Those of ours that live, and that Stripe's list did not have: each is asked for by its name."""
    async with SystemWork(call, reason=STRIPES, reading=True) as work:
        ids = await queries.live_not_asked_since(work, place=now.place, after=now.after or "", rows=OF_OURS)
    truths = [await _asked_for(call, each) for each in ids]
    if len(ids) >= SUSPICIOUS and now.looked == now.unknown and all(one is None or one.gone for one in truths):
        raise OtherAccount
    differed, unread = 0, truths.count(None)
    for truth in truths:
        differed += 0 if truth is None else await _mend(call, truth) or 0
    more = {"after": ids[-1]} if len(ids) == OF_OURS else {"after": None, "step": "told"}
    return msgspec.structs.replace(
        now, looked=now.looked + len(ids), differed=now.differed + differed, unread=now.unread + unread, **more
    )


async def _asked_for(call: Call, subscription_id: str) -> Truth | None:
    try:
        return await ask_anew(call, subscription_id)
    except stripe.Refused:
        # one that cannot be read keeps no other from being compared
        return None


async def _told(call: Call, now: Round) -> Round:
    """What Stripe told since: whatever of it never came is kept as if it had come now."""
    types = _FAMILIES[now.family]
    page = await stripe.events_page(call.runtime, types=types, since=now.since, after=now.after)
    late, unread = _for_us(page.data, live=call.runtime.section(BillingSettings).live)
    async with SystemWork(call, reason=STRIPES) as work:
        lost = await actions.hear_late(work, told=late)
    last = now.family + 1 == len(_FAMILIES)
    onward = _next(page, now, "done" if last else "told")
    family = now.family if onward["after"] or last else now.family + 1
    return msgspec.structs.replace(now, lost=now.lost + lost, unread=now.unread + unread, family=family, **onward)


_STEPS: Mapping[str, Callable[[Call, Round], Awaitable[Round]]] = {"listed": _listed, "ours": _ours, "told": _told}
_TYPES = tuple(sorted(SUBJECTS))
_FAMILIES = tuple(_TYPES[at : at + stripe.MOST_TYPES] for at in range(0, len(_TYPES), stripe.MOST_TYPES))


class _Named(msgspec.Struct, frozen=True):
    id: str


def _next(page: shapes.Listed[msgspec.Raw], now: Round, then: str) -> dict[str, str | None]:
    last = msgspec.json.decode(page.data[-1], type=_Named).id if page.data and page.has_more else None
    return {"after": last, "step": now.step if last else then}


def _for_us(raw: Sequence[msgspec.Raw], *, live: bool) -> tuple[dict[str, tuple[Told, str]], int]:
    told, unread = _read(raw, Told)
    texts = (bytes(one).decode() for one in raw)
    named = {msgspec.json.decode(text, type=_Named).id: text for text in texts}
    ours = (one for one in told if one.subject is not None and one.livemode is live and one.account is None)
    return {one.id: (one, named[one.id]) for one in ours}, unread


def _read(raw: Sequence[msgspec.Raw], kind: type[Shape]) -> tuple[list[Shape], int]:
    """What can be read of it, and how much cannot."""
    found: list[Shape] = []
    for one in raw:
        try:
            found.append(msgspec.json.decode(one, type=kind))
        except msgspec.ValidationError:
            continue
    return found, len(raw) - len(found)


async def _place(call: Call) -> int:
    async with SystemWork(call, reason=STRIPES) as work:
        return await actions.take_place(work)


async def _mend(call: Call, truth: Truth) -> int | None:
    async with SystemWork(call, reason=STRIPES) as work:
        return await actions.mend_rows(work, truth=truth)
