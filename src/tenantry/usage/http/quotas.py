"""Quotas over HTTP: how much of each an organization has used, how much is left, until when and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from tenantry.foundation.quota import Per
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.plans.models import Source
from tenantry.usage import actions
from tenantry.usage.http.shapes import routes
from tenantry.usage.models import Balance
from tenantry.usage.permissions import QUOTAS_READ

EXPORTS = {
    "limit": "exports",
    "title": "Exports",
    "used": 180,
    "allowed": 1000,
    "remaining": 820,
    "overage": 0,
    "per": "period",
    "reset": "2026-04-01T00:00:00Z",
    "hard": True,
    "reason": {"plan": "pro", "source": "plan"},
}


class QuotaReason(Wire):
    """The plan that the organization is on, and what the limit comes from."""

    plan: str
    source: Source


class QuotaView(Wire):
    """A quota; `allowed` and `remaining` are null where nothing limits it, `per` and `reset` of what never starts anew.

    What is not `hard` goes on past the limit, and is counted as overage.
    """

    limit: str
    title: str
    used: int
    allowed: int | None
    remaining: int | None
    overage: int
    per: Per | None
    reset: Annotated[datetime, Meta(tz=True)] | None
    hard: bool
    reason: QuotaReason


class QuotaList(Wire):
    """Every quota."""

    items: list[QuotaView]


@routes.get("/orgs/{org}/quotas", requires=QUOTAS_READ, answer_example={"items": [EXPORTS]})
async def quotas(work: OrgWork) -> QuotaList:
    """How much of each quota the organization has used, how much is left, until when, and why it is so much."""
    return QuotaList(items=[_view(one) for one in await actions.balances(work)])


def _view(one: Balance) -> QuotaView:
    return QuotaView(
        limit=one.quota.limit,
        title=one.quota.title,
        used=one.used,
        allowed=one.allowed,
        remaining=one.remaining,
        overage=one.overage,
        per=None if one.period is None else one.quota.per,
        reset=None if one.period is None else one.period.end,
        hard=one.hard,
        reason=QuotaReason(plan=one.plan, source=one.source),
    )
