"""What an organization pays for over HTTP, on one sheet."""

from __future__ import annotations

from typing import Literal

from tenantry.billing import actions
from tenantry.billing.http.checkouts import OPENED, CheckoutView, checkout_view
from tenantry.billing.http.shapes import Instant, SubscriptionView, routes, subscription_view
from tenantry.billing.models import Invoice, Overview, Reason
from tenantry.billing.permissions import BILLING_READ
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.plans.models import Plan

SHEET = {
    "on": True,
    "plan": {"key": "team", "name": "Team", "version": 1},
    "level": "plan",
    "reason": "trial",
    "until": "2026-01-16T03:04:05Z",
    "restricted_from": "2026-01-18T03:04:05Z",
    "subscription": None,
    "seats": {"bought": 3, "taken": 2},
    "checkout": OPENED,
    "customer": True,
    "payment_failed": None,
}


class PlanOnSheet(Wire):
    """The plan that the organization is on."""

    key: str
    name: str
    version: int


class SeatsOnSheet(Wire):
    """Seats that are bought, and those that members and waiting invites take; null where none are bought."""

    bought: int | None
    taken: int


class FailedPayment(Wire):
    """What could not be paid, in the smallest unit of its currency; at `hosted_url` it is paid by hand."""

    amount: int
    currency: str
    attempts: int
    next_attempt_at: Instant | None
    hosted_url: str | None


class BillingView(Wire):
    """What the organization pays for. `level` is what that opens, `reason` why, `until` when that changes by itself.

    `plan`: all that the plan has; `restricted`: reading and paying only; `free`: nothing is paid for.
    """

    on: bool
    plan: PlanOnSheet
    level: Literal["plan", "restricted", "free"]
    reason: Reason
    until: Instant | None
    restricted_from: Instant | None
    subscription: SubscriptionView | None
    seats: SeatsOnSheet
    checkout: CheckoutView | None
    customer: bool
    payment_failed: FailedPayment | None


@routes.get("/orgs/{org}/billing", requires=BILLING_READ, answer_example=SHEET)
async def billing(work: OrgWork) -> BillingView:
    """What the organization pays for, and what that opens."""
    return _shown(work, await actions.read_overview(work))


def _shown(work: OrgWork, sheet: Overview) -> BillingView:
    return BillingView(
        on=sheet.on,
        plan=_plan(sheet.plan),
        level=sheet.access.level,
        reason=sheet.access.reason,
        until=sheet.access.until,
        restricted_from=sheet.restricted_from,
        subscription=None if sheet.subscription is None else subscription_view(sheet.subscription, work.runtime),
        seats=SeatsOnSheet(bought=sheet.bought, taken=sheet.taken),
        checkout=None if sheet.checkout is None else checkout_view(sheet.checkout),
        customer=sheet.customer,
        payment_failed=None if sheet.unpaid is None else _failed(sheet.unpaid),
    )


def _plan(plan: Plan) -> PlanOnSheet:
    return PlanOnSheet(key=plan.key, name=plan.name, version=plan.version)


def _failed(invoice: Invoice) -> FailedPayment:
    return FailedPayment(
        amount=invoice.amount_remaining, currency=invoice.currency, attempts=invoice.attempts,
        next_attempt_at=invoice.next_attempt_at, hosted_url=invoice.hosted_url,
    )  # fmt: skip
