"""Plans over HTTP: what there is to choose from, and what an organization is entitled to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from tenantry.foundation.call import Call
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.routes import Routes
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.plans import queries
from tenantry.plans.models import Entitled, Entitlement, Plan, Price, Source
from tenantry.plans.permissions import ENTITLEMENTS_READ
from tenantry.plans.settings import PlanSettings

routes = Routes("plans")

PRO = {
    "key": "pro",
    "name": "Pro",
    "price": {"amount": 1200, "currency": "eur", "interval": "month", "per_seat": True},
    "prices": [{"amount": 1200, "currency": "eur", "interval": "month", "per_seat": True}],
    "features": ["sso"],
    "limits": {"seats": 50},
    "trial_days": 14,
}
OURS = {
    "plan": {"key": "pro", "name": "Pro", "version": 2, "valid_until": None},
    "items": [{"feature_key": "sso", "kind": "feature", "value": True, "source": "plan", "valid_until": None}],
}


class PriceView(Wire):
    """A price, in the smallest unit of its currency."""

    amount: int
    currency: str
    interval: Literal["month", "year"]
    per_seat: bool


class PlanView(Wire):
    """A plan to choose; a limit that is not named there is none."""

    key: str
    name: str
    price: PriceView | None
    prices: list[PriceView]
    features: list[str]
    limits: dict[str, int]
    trial_days: int


class PlanList(Wire):
    """The plans, in the order of the plan file."""

    items: list[PlanView]


class HeldPlan(Wire):
    """The plan an organization is on, and until when."""

    key: str
    name: str
    version: int
    valid_until: Annotated[datetime, Meta(tz=True)] | None


class ReasonView(Wire):
    """One thing that was given, and whether it counts."""

    source: Source
    value: bool | int | None
    valid_until: Annotated[datetime, Meta(tz=True)] | None
    counts: bool


class EntitlementView(Wire):
    """A feature, which is had or not; or a limit, where null is none."""

    feature_key: str
    kind: Literal["feature", "limit"]
    value: bool | int | None
    source: Source
    valid_until: Annotated[datetime, Meta(tz=True)] | None
    reasons: list[ReasonView] | UnsetType = UNSET


class Entitlements(Wire):
    """The plan, and all that it and what was given beside it entitle to."""

    plan: HeldPlan
    items: list[EntitlementView]


class EntitlementsQuery(Wire):
    """Whether to say where each value comes from."""

    explain: bool = False


@routes.get("/plans", requires=ANYONE, answer_example={"items": [PRO]})
async def plans(call: Call) -> PlanList:
    """The plans there are, each in its newest version."""
    catalogue = call.runtime.section(PlanSettings).catalogue
    return PlanList(items=[_plan_view(plan) for plan in catalogue.latest.values()])


@routes.get("/orgs/{org}/entitlements", requires=ENTITLEMENTS_READ, answer_example=OURS)
async def entitlements(work: OrgWork, query: EntitlementsQuery) -> Entitlements:
    """What the organization is entitled to; with `explain` also why."""
    found = await queries.entitlements(work, work.org)
    return Entitlements(plan=_held(found), items=[_entitlement_view(one, explain=query.explain) for one in found])


def _plan_view(plan: Plan) -> PlanView:
    prices = [_price_view(price) for price in plan.prices]
    return PlanView(
        key=plan.key,
        name=plan.name,
        price=prices[0] if prices else None,
        prices=prices,
        features=list(plan.features),
        limits=dict(plan.limits),
        trial_days=plan.trial_days,
    )


def _price_view(price: Price) -> PriceView:
    return PriceView(amount=price.amount, currency=price.currency, interval=price.interval, per_seat=price.per_seat)


def _held(found: Entitled) -> HeldPlan:
    plan = found.plan
    return HeldPlan(key=plan.key, name=plan.name, version=plan.version, valid_until=found.valid_until)


def _entitlement_view(one: Entitlement, *, explain: bool) -> EntitlementView:
    reasons = [
        ReasonView(
            source=reason.source,
            value=_said(one, reason.value),
            valid_until=reason.valid_until,
            counts=reason.counts,
        )
        for reason in one.reasons
    ]
    return EntitlementView(
        feature_key=one.feature_key,
        kind=one.kind,
        value=_said(one, one.value),
        source=one.source,
        valid_until=one.valid_until,
        reasons=reasons if explain else UNSET,
    )


def _said(one: Entitlement, value: int | None) -> bool | int | None:
    return bool(value) if one.kind == "feature" else value
