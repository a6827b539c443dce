"""What the plan of an organization was at any instant: which event changes which row."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tenantry.foundation.events.folding import Fold, Rows, Said
from tenantry.plans.events import OverrideGiven, OverrideLifted, PlanEnded, PlanGiven

OF_THE_ORG = "whose history is folded"


class PlanThen(msgspec.Struct, frozen=True):
    """The plan that an organization was on, for one of the reasons."""

    source: str
    plan: str
    plan_version: int
    seats: int | None
    valid_until: datetime | None
    created_at: datetime
    updated_at: datetime


plans = Fold("org_plans", PlanThen, ids={}, left_out={"org_id": OF_THE_ORG})


@plans.on(PlanGiven)
def _given(rows: Rows[PlanThen], said: Said[PlanGiven]) -> None:
    one, before = said.event, rows.get(said.event.source)
    since = said.at if before is None else before.created_at
    rows[one.source] = PlanThen(one.source, one.plan, one.plan_version, one.seats, one.valid_until, since, said.at)


@plans.on(PlanEnded)
def _ended(rows: Rows[PlanThen], said: Said[PlanEnded]) -> None:
    del rows[said.event.source]


class OverrideThen(msgspec.Struct, frozen=True):
    """A value of an organization's own, as it was."""

    feature_key: str
    source: str
    value: int | None
    reason: str
    valid_until: datetime | None
    created_at: datetime
    updated_at: datetime


overrides = Fold("plan_overrides", OverrideThen, ids={}, left_out={"org_id": OF_THE_ORG})


@overrides.on(OverrideGiven)
def _overridden(rows: Rows[OverrideThen], said: Said[OverrideGiven]) -> None:
    one, key = said.event, (said.event.feature_key, said.event.source)
    since = rows[key].created_at if key in rows else said.at
    rows[key] = OverrideThen(*key, one.value, one.reason, one.valid_until, since, said.at)


@overrides.on(OverrideLifted)
def _lifted(rows: Rows[OverrideThen], said: Said[OverrideLifted]) -> None:
    del rows[said.event.feature_key, said.event.source]


FOLDS = (plans, overrides)
