"""What the command line does with plans: shows them, puts an organization on one, and gives it values of its own."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.instants import read_instant
from tenantry.foundation.work import SystemWork
from tenantry.plans import actions, queries
from tenantry.plans.settings import PlanSettings

OPERATOR = "an operator looks after plans"
UNLIMITED = "unlimited"

Org = Annotated[str, Option("The organization (`org_...`).")]
Until = Annotated[str | None, Option("Until when (RFC 3339); without it for good.")]
FeatureKey = Annotated[str, Option("The feature or limit, as the plan file calls it.", flag="--key")]
AddOn = Annotated[bool, Option("On top of what the plan gives, instead of in its place.")]


class Shown(msgspec.Struct, frozen=True):
    """A plan of the plan file."""

    plan: str
    version: int
    name: str
    prices: str
    features: str
    limits: str
    default: bool


class Plans(msgspec.Struct, frozen=True):
    """All plans in all versions."""

    plans: list[Shown]


class Value(msgspec.Struct, frozen=True):
    """A feature or limit of an organization."""

    key: str
    value: int | None
    source: str
    valid_until: datetime | None


class Standing(msgspec.Struct, frozen=True):
    """The plan of an organization, and what it is entitled to."""

    org: str
    plan: str
    version: int
    because: str
    seats: int | None
    valid_until: datetime | None
    entitlements: list[Value]


async def show(call: Call) -> Plans:
    """Show the plans of the plan file, with the versions that are not sold any more."""
    catalogue = call.runtime.section(PlanSettings).catalogue
    return Plans([
        Shown(
            plan=plan.key,
            version=plan.version,
            name=plan.name,
            prices=", ".join(f"{price.amount} {price.currency}/{price.interval}" for price in plan.prices),
            features=", ".join(plan.features),
            limits=", ".join(f"{key} {most}" for key, most in plan.limits.items()),
            default=plan is catalogue.fallback,
        )
        for plan in catalogue.plans
    ])  # fmt: skip


async def of(call: Call, *, org: Org) -> Standing:
    """Show which plan an organization is on, and what it is entitled to."""
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        return await _standing(work, _org(org))


async def give(
    call: Call,
    *,
    org: Org,
    plan: Annotated[str, Option("The plan's key.")],
    version: Annotated[int | None, Option("Its version; without it the newest.")] = None,
    seats: Annotated[int | None, Option("Its seats, in place of the plan's limit.")] = None,
    until: Until = None,
) -> Standing:
    """Put an organization on a plan, whatever it pays for."""
    if seats is not None and seats < 1:
        raise BadUsage("--seats is 1 or more")
    async with SystemWork(call, reason=OPERATOR) as work:
        await actions.give_plan(
            work, org_id=_org(org), plan=plan, source="grant", version=version, seats=seats, valid_until=_moment(until)
        )
        return await _standing(work, _org(org))


async def take(call: Call, *, org: Org) -> Standing:
    """Take back the plan that an organization was put on by `give`."""
    async with SystemWork(call, reason=OPERATOR) as work:
        await actions.end_plan(work, org_id=_org(org), source="grant")
        return await _standing(work, _org(org))


async def override(
    call: Call,
    *,
    org: Org,
    key: FeatureKey,
    value: Annotated[str, Option("A number, 1 or 0 for a feature, or `unlimited`.")],
    reason: Annotated[str, Option("Why; it is in the audit log.")],
    until: Until = None,
    add_on: AddOn = False,
) -> Standing:
    """Give an organization its own value of a feature or limit."""
    given: dict[str, Any] = {"feature_key": key, "value": _number(value), "reason": reason}
    async with SystemWork(call, reason=OPERATOR) as work:
        await actions.give_override(
            work, org_id=_org(org), source=_source(add_on=add_on), valid_until=_moment(until), **given
        )
        return await _standing(work, _org(org))


async def lift(call: Call, *, org: Org, key: FeatureKey, add_on: AddOn = False) -> Standing:
    """Let an organization have its plan's value of a feature or limit again."""
    async with SystemWork(call, reason=OPERATOR) as work:
        await actions.lift_override(work, org_id=_org(org), feature_key=key, source=_source(add_on=add_on))
        return await _standing(work, _org(org))


async def _standing(work: SystemWork, org_id: UUID) -> Standing:
    found = await queries.entitlements(work, org_id)
    values = [Value(one.feature_key, one.value, one.source, one.valid_until) for one in found]
    because = found.holding or "the default"
    return Standing(
        ORG_ID.text(org_id), found.plan.key, found.plan.version, because, found.seats, found.valid_until, values
    )


def _source(*, add_on: bool) -> actions.Beside:
    return "add_on" if add_on else "override"


def _org(org: str) -> UUID:
    if (found := ORG_ID.read(org)) is None:
        raise BadUsage("--org is an id such as org_01jd4w2q8nf6v9m3x5c7b1r0kt")
    return found


def _number(value: str) -> int | None:
    if value == UNLIMITED:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 17):
        raise BadUsage(f"--value is a number or `{UNLIMITED}`")
    return int(value)


def _moment(given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        return read_instant(given)
    except ValueError as error:
        raise BadUsage("--until is a moment such as 2026-12-31T00:00:00Z") from error


commands = (
    Command("plans", "list", show),
    Command("plans", "of", of),
    Command("plans", "give", give),
    Command("plans", "take", take),
    Command("plans", "override", override),
    Command("plans", "lift", lift),
)
