"""What can have happened to the plan of an organization: after-values."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from tenantry.foundation.events.event import Audited, Event


class PlanGiven(Event, frozen=True):
    """An organization is on a plan from now on, or on it otherwise than before."""

    kind = "plans.plan_given"
    audited = Audited(
        "plans:plan:given", target="org_id", shows=("plan", "plan_version", "source", "seats", "valid_until")
    )
    webhook = "plan.given"
    org_id: UUID
    plan: str
    plan_version: int
    source: Literal["grant", "subscription", "trial"]
    seats: int | None
    valid_until: datetime | None


class PlanEnded(Event, frozen=True):
    """An organization is not on a plan any more, for this reason."""

    kind = "plans.plan_ended"
    audited = Audited("plans:plan:ended", target="org_id", shows=("plan", "source"))
    webhook = "plan.ended"
    org_id: UUID
    plan: str
    source: Literal["grant", "subscription", "trial"]


class OverrideGiven(Event, frozen=True):
    """An organization has its own value of a feature or limit from now on."""

    kind = "plans.override_given"
    audited = Audited("plans:override:given", target="org_id", shows=("feature_key", "source", "value", "valid_until"))
    webhook = "entitlement_override.given"
    org_id: UUID
    feature_key: str
    source: Literal["override", "add_on"]
    value: int | None
    valid_until: datetime | None
    reason: str


class OverrideLifted(Event, frozen=True):
    """An organization has its plan's value of a feature or limit again."""

    kind = "plans.override_lifted"
    audited = Audited("plans:override:lifted", target="org_id", shows=("feature_key", "source"))
    webhook = "entitlement_override.lifted"
    org_id: UUID
    feature_key: str
    source: Literal["override", "add_on"]
