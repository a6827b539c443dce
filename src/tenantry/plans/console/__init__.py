"""The console's page of an organization's plan: what it is entitled to, and what gives it that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tenantry.foundation.pages import ConsolePages, Values
from tenantry.foundation.permission import ADMINS
from tenantry.foundation.work import OrgWork
from tenantry.plans import actions, queries
from tenantry.plans.models import Entitled, Entitlement, GivenAs, Reason, Source
from tenantry.plans.permissions import ENTITLEMENTS_READ

PLAN = "/console/orgs/{org}/plan"
HOLDS: Mapping[GivenAs | None, str] = {
    None: "It is the plan of whoever has no other.",
    "grant": "It was given.",
    "subscription": "It is subscribed to.",
    "trial": "It is on trial.",
}
SOURCES: Mapping[Source, str] = {
    "plan": "the plan {plan}",
    "trial": "the trial of {plan}",
    "override": "an exception for this organization",
    "add_on": "an add-on",
}

pages = ConsolePages("plans", Path(__file__).parent / "templates", menu={PLAN: "Plan"})


@pages.get(PLAN, title="Plan", template="plan", requires=ENTITLEMENTS_READ)
async def plan_page(work: OrgWork) -> Values:
    """Show which plan the organization is on, and what it has by it and beside it."""
    found = await queries.entitlements(work, work.org)
    return {
        "plan": found.plan.name,
        "holds": HOLDS[found.holding],
        "until": found.valid_until,
        "features": [_shown(found, one) for one in found if one.kind == "feature"],
        "limits": [_shown(found, one) for one in found if one.kind == "limit"],
        "others": await _others(work, found),
    }


async def _others(work: OrgWork, found: Entitled) -> str | None:
    """Where there are other plans to choose; those who look after the organization choose."""
    if work.role not in ADMINS:
        return None
    url: str | None = (await actions.offer(work, work.org, found))["upgrade_url"]
    return url


def _shown(found: Entitled, one: Entitlement) -> Values:
    names = found.catalogue.limits if one.kind == "limit" else found.catalogue.features
    return {
        "name": names.get(one.feature_key, one.feature_key),
        "key": one.feature_key,
        "value": one.value,
        "reasons": [_reason(found, one, reason) for reason in one.reasons],
    }


def _reason(found: Entitled, one: Entitlement, reason: Reason) -> Values:
    return {
        "from": SOURCES[reason.source].format(plan=found.plan.name),
        "gives": _said(one, reason.value),
        "until": reason.valid_until if reason.source in {"override", "add_on"} else None,
        "counts": reason.counts,
    }


def _said(one: Entitlement, value: int | None) -> str:
    if one.kind == "feature":
        return "on" if value else "off"
    return "no limit" if value is None else f"{value:,}"
