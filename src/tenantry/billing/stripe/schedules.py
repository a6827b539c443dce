"""Schedules: what a subscription will be to when what is paid for is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tenantry.billing.stripe.account import account, checked
from tenantry.billing.stripe.shapes import Schedule
from tenantry.foundation.runtime import Runtime


async def begin_schedule(runtime: Runtime, subscription_id: str, *, key: str) -> Schedule:
    """Put a subscription under a schedule, which has it as it is until the end of its period."""
    return await account(runtime).ask(
        "post", "subscription_schedules", Schedule, key=key, from_subscription=subscription_id
    )


async def plan_phases(runtime: Runtime, schedule_id: str, *, key: str, phases: Sequence[Mapping[str, Any]]) -> Schedule:
    """Say what comes after what; the first phase is the present one, and after the last all stays as it is then."""
    return await account(runtime).ask(
        "post", checked(f"subscription_schedules/{schedule_id}"), Schedule, key=key, phases=list(phases),
        end_behavior="release", proration_behavior="none",
    )  # fmt: skip


async def release_schedule(runtime: Runtime, schedule_id: str, *, key: str) -> Schedule:
    """Let a subscription go on as it is, with nothing planned."""
    path = checked(f"subscription_schedules/{schedule_id}/release")
    return await account(runtime).ask("post", path, Schedule, key=key)
