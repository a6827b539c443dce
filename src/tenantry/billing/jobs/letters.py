"""What mails about what is paid say: read off the rows when they are sent, so that nothing out of date is told."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.billing import queries
from tenantry.billing.actions import policy_of
from tenantry.billing.models import Access, Invoice, Policy, Subscription, access, ending
from tenantry.billing.models.money import money
from tenantry.billing.models.subscriptions import plan_of
from tenantry.billing.settings import billing_page
from tenantry.foundation.jobs.handler import Snooze
from tenantry.foundation.jobs.run import LONGEST_WAIT
from tenantry.foundation.net.letters import WEB_ADDRESS, Link, Wording
from tenantry.foundation.work import Work
from tenantry.plans import queries as plans
from tenantry.plans.settings import PlanSettings

Name = Literal[
    "trial_ending", "payment_failed", "payment_recovered", "access_restricted", "subscription_ended",
    "cancellation_scheduled",
]  # fmt: skip
Values = dict[str, str | int]
UNPAID = frozenset(("open", "uncollectible"))
"""What an invoice is that was tried in vain."""


class ToTell(msgspec.Struct, frozen=True):
    """A letter, and the one happening that it tells of: by an id at Stripe, and by which attempt or moment.

    Whom it is for is an id, never an address.
    """

    letter: Name
    org_id: UUID
    about: str = ""
    attempt: int = 0
    at: datetime | None = None
    happening: str = ""
    user_id: UUID | None = None

    def to(self, user_id: UUID) -> ToTell:
        """The same for one owner."""
        return msgspec.structs.replace(self, user_id=user_id)

    @property
    def key(self) -> str:
        """The same for each mail that would say the same to the same owner, and for no other."""
        return f"billing-{hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:40]}"


async def told_of(work: Work, which: ToTell) -> Values | None:
    """What a letter says of what is true now; None where there is nothing to say any more."""
    says = await _SAYS[which.letter](work, which)
    return None if says is None else {**says, "billing": Link(billing_page(work.runtime, which.org_id))}


async def _trial_ending(work: Work, which: ToTell) -> Values | None:
    row = await _subscription(work, which.org_id, which.about)
    if row is None or row.status != "trialing" or row.trial_end is None:
        return None
    if row.trial_end != which.at or row.trial_end <= _now(work):
        return None
    cancelled = int(ending(row) is not None)
    return {
        "plan": _plan(work, row),
        "ends": _utc(row.trial_end),
        "cancelled": cancelled,
        "after": await _after(work, which),
    }


async def _payment_failed(work: Work, which: ToTell) -> Values | None:
    invoice = await queries.invoice_of_org(work, org_id=which.org_id, id=which.about)
    if invoice is None or invoice.status != "open" or invoice.attempts != which.attempt:
        return None
    said: Values = {
        "amount": Wording(money(invoice.amount_remaining, invoice.currency)),
        "attempt": invoice.attempts,
        **_again(invoice, _now(work)),
        "pay": _pay(invoice),
    }
    if invoice.subscription_id is None:
        return said | {"stays": "", "ends": 0, "restricted": 0}
    row = await _subscription(work, which.org_id, invoice.subscription_id)
    # of one that never began somebody is told who sits before it, of one that is over by another letter
    if row is None or not row.live:
        return None
    return said | _consequences(row, access(row, _now(work), _policy(work)))


def _again(invoice: Invoice, now: datetime) -> Values:
    again = invoice.next_attempt_at
    return {"again": "" if again is None or again <= now else _utc(again), "last": int(again is None)}


def _consequences(row: Subscription, stands: Access) -> Values:
    in_grace = stands.reason == "grace" and stands.until is not None
    ends = ending(row)
    return {
        "stays": _utc(stands.until) if in_grace and stands.until is not None else "",
        "ends": int(in_grace and ends is not None and ends == stands.until),
        "restricted": int(stands.level == "restricted"),
    }


async def _payment_recovered(work: Work, which: ToTell) -> Values | None:
    invoice = await queries.invoice_of_org(work, org_id=which.org_id, id=which.about)
    if invoice is None or invoice.status != "paid":
        return None
    # how often Stripe tried by itself would not do: whoever pays by hand after the first attempt leaves it at one
    if not await queries.payment_failed_before(
        work, org_id=which.org_id, invoice_id=invoice.id, since=invoice.created_at
    ):
        return None
    stands = access(await _in_force(work, which), _now(work), _policy(work))
    return {"amount": Wording(money(invoice.amount_paid, invoice.currency)), "level": stands.level}


async def _access_restricted(work: Work, which: ToTell) -> Values | None:
    left = await queries.seconds_to_restriction(work, org_id=which.org_id)
    if left is None:
        return None
    if left > 0:
        raise Snooze(after=min(left, LONGEST_WAIT))
    row = await _in_force(work, which)
    stands = access(row, _now(work), _policy(work))
    trial = stands.reason in ("paused", "trial_over")
    invoice = None if row is None else await _latest_invoice(work, which, row)
    return {"trial": int(trial), "pay": "" if invoice is None or invoice.status != "open" else _pay(invoice)}


async def _subscription_ended(work: Work, which: ToTell) -> Values | None:
    row, in_force = await _subscription(work, which.org_id, which.about), await _in_force(work, which)
    if row is None or (in_force is not None and in_force.live):
        return None
    if not await queries.subscription_had_begun(
        work, org_id=which.org_id, subscription_id=row.id, since=row.created_at
    ):
        return None
    invoice = await _latest_invoice(work, which, row)
    unpaid = invoice is not None and invoice.status in UNPAID and invoice.attempts > 0
    now = (await plans.entitlements(work, which.org_id)).plan
    return {"plan": _plan(work, row), "unpaid": int(unpaid), "after": Wording(now.name)}


async def _cancellation_scheduled(work: Work, which: ToTell) -> Values | None:
    row = await _subscription(work, which.org_id, which.about)
    ends = None if row is None or not row.live else ending(row)
    if row is None or ends is None or ends <= _now(work):
        return None
    return {"plan": _plan(work, row), "ends": _utc(ends), "after": await _after(work, which)}


_SAYS: Mapping[Name, Callable[[Work, ToTell], Awaitable[Values | None]]] = {
    "trial_ending": _trial_ending,
    "payment_failed": _payment_failed,
    "payment_recovered": _payment_recovered,
    "access_restricted": _access_restricted,
    "subscription_ended": _subscription_ended,
    "cancellation_scheduled": _cancellation_scheduled,
}


async def _subscription(work: Work, org_id: UUID, subscription_id: str) -> Subscription | None:
    """It, unless it doubles another one: that one is what owners know of."""
    rows = await queries.subscriptions_of_org(work, org_id=org_id)
    return next((row for row in rows if row.id == subscription_id and row.duplicate_of is None), None)


async def _in_force(work: Work, which: ToTell) -> Subscription | None:
    return await queries.subscription_in_force(work, org_id=which.org_id)


async def _latest_invoice(work: Work, which: ToTell, row: Subscription) -> Invoice | None:
    return await queries.invoice_of_org(work, org_id=which.org_id, id=row.latest_invoice_id or "")


async def _after(work: Work, which: ToTell) -> Wording:
    """The plan that an organization is on without its subscription."""
    found = await plans.entitlements(work, which.org_id)
    fallback = work.runtime.section(PlanSettings).catalogue.fallback
    return Wording((found.plan if found.holding == "grant" else fallback).name)


def _plan(work: Work, row: Subscription) -> Wording:
    """What a subscription's plan is called; nothing where Stripe's price names none."""
    plan = plan_of(row, work.runtime.section(PlanSettings).catalogue)
    return Wording(row.plan_key or "" if plan is None else plan.name)


def _pay(invoice: Invoice) -> str:
    address = invoice.hosted_url or ""
    return Link(address) if WEB_ADDRESS.fullmatch(address) else ""


def _utc(moment: datetime) -> Wording:
    return Wording(f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC")


def _now(work: Work) -> datetime:
    return work.runtime.clock.now()


def _policy(work: Work) -> Policy:
    return policy_of(work.runtime)
