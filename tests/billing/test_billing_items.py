"""Of several things that are subscribed to, the plan counts, and what is beside it stays."""

from __future__ import annotations

import json

import msgspec

from tenantry.billing.exchanges import carrying
from tenantry.billing.models import subscriptions
from tenantry.billing.models.changes import NewTerms
from tenantry.billing.stripe import shapes

PLAN = {"id": "si_b", "quantity": 3, "price": {"id": "p_plan", "metadata": {"tenantry_plan": "pro"}}}
BESIDE = {"id": "si_a", "quantity": 1, "price": {"id": "p_support"}}
TOLD = {
    "id": "sub_1", "customer": "cus_1", "status": "active", "created": 1, "current_period_end": 9,
    "items": {"data": [BESIDE, PLAN]},
}  # fmt: skip
SCHEDULE = {"id": "s_1", "current_phase": {"start_date": 1, "end_date": 9}, "phases": [{"start_date": 1, "items": []}]}


def test_the_plan_among_several_things_is_the_one_that_is_ours() -> None:
    told = msgspec.json.decode(json.dumps(TOLD), type=shapes.Subscription)
    row = subscriptions.as_kept(told, None, fetched=1)
    assert (row.plan_key, row.item_id, row.quantity) == ("pro", "si_b", 3)


def test_what_is_beside_the_plan_stays_when_less_of_the_plan_is_planned() -> None:
    told = msgspec.json.decode(json.dumps(TOLD), type=shapes.Subscription)
    schedule = msgspec.json.decode(json.dumps(SCHEDULE), type=shapes.Schedule)
    now, then = carrying._phases(told, schedule, NewTerms("sub_1", "p_less", 2, "month"))
    assert now["items"] == [{"price": "p_plan", "quantity": 3}, {"price": "p_support", "quantity": 1}]
    assert then["items"] == [{"price": "p_less", "quantity": 2}, {"price": "p_support", "quantity": 1}]
