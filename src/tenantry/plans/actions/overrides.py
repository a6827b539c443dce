"""An organization's own value of a feature or limit: instead of its plan's, or on top of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec.structs import asdict

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import FieldError, Invalid, NotFound
from tenantry.foundation.work import SystemWork
from tenantry.plans.actions.plans import hold_org
from tenantry.plans.actions.weights import settle_weight
from tenantry.plans.events import OverrideGiven, OverrideLifted
from tenantry.plans.models import MOST_VALUE
from tenantry.plans.problems import BadValue, NothingGiven, UnknownFeature
from tenantry.plans.settings import PlanSettings

Beside = Literal["override", "add_on"]
LONGEST_REASON = 500
"""Characters."""

keep_override = run("""
    insert into tenantry.plan_overrides (org_id, feature_key, source, value, reason, valid_until)
    values (:org_id, :feature_key, :source, :value, :reason, :valid_until)
        on conflict (org_id, feature_key, source) do update
       set value = excluded.value, reason = excluded.reason, valid_until = excluded.valid_until,
           updated_at = tenantry.now()
""")

forget_override = value(
    str,
    """
    delete from tenantry.plan_overrides
     where org_id = :org_id
       and feature_key = :feature_key
       and source = :source
 returning feature_key
    """,
)


@action(requires=HOUSE, records=OverrideGiven)
async def give_override(
    work: SystemWork,
    *,
    org_id: UUID,
    feature_key: str,
    value: int | None,
    reason: str,
    source: Beside = "override",
    valid_until: datetime | None = None,
) -> None:
    """Give an organization its own value of a feature (1 or 0) or limit (a number, or none), with the reason."""
    _check(work, feature_key, value)
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise Invalid(errors=(FieldError("body.reason", f"1 to {LONGEST_REASON} characters"),))
    if await hold_org(work, org_id=org_id) is None:
        raise NotFound
    given = OverrideGiven(
        org_id=org_id, feature_key=feature_key, source=source, value=value, valid_until=valid_until, reason=reason
    )
    await keep_override(work, **asdict(given))
    await settle_weight(work, org_id)
    work.record(given)


@action(requires=HOUSE, records=OverrideLifted)
async def lift_override(work: SystemWork, *, org_id: UUID, feature_key: str, source: Beside = "override") -> None:
    """Let an organization have its plan's value again."""
    await hold_org(work, org_id=org_id)
    if await forget_override(work, org_id=org_id, feature_key=feature_key, source=source) is None:
        raise NothingGiven
    await settle_weight(work, org_id)
    work.record(OverrideLifted(org_id=org_id, feature_key=feature_key, source=source))


def _check(work: SystemWork, feature_key: str, value: int | None) -> None:
    catalogue = work.runtime.section(PlanSettings).catalogue
    if feature_key in catalogue.features:
        if value not in (0, 1):
            raise BadValue
    elif feature_key not in catalogue.limits:
        raise UnknownFeature(f"The plan file has no feature or limit called {feature_key}.")
    elif value is not None and not 0 <= value <= MOST_VALUE:
        raise BadValue
