"""Gates: what asks the plan before it lets something happen. A refusal says which plan to look for, and where."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar
from uuid import UUID

from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.data.sql import run
from tenantry.foundation.problems import REFUSES
from tenantry.foundation.work import OrgWork, Work
from tenantry.plans import queries
from tenantry.plans.models import Entitled
from tenantry.plans.problems import FeatureNeeded, LimitReached
from tenantry.plans.settings import PlanSettings

Taken = ParamSpec("Taken")
Answer = TypeVar("Answer")


class Count(Protocol):
    """A statement that counts what there is of something in the work's organization."""

    async def __call__(self, work: Work) -> int | None:
        """How much there is."""


# whoever counts holds it until the commit: those after it count what it adds
hold_count = run("select pg_advisory_xact_lock(hashtextextended(:what, 0))")


def requires_feature(
    feature: str,
) -> Callable[[Callable[Taken, Coroutine[Any, Any, Answer]]], Callable[Taken, Coroutine[Any, Any, Answer]]]:
    """Keep a handler or a verb for organizations whose plan has a feature; the others are answered 402."""

    def guard(guarded: Callable[Taken, Coroutine[Any, Any, Answer]]) -> Callable[Taken, Coroutine[Any, Any, Answer]]:
        @wraps(guarded)
        async def asking(*args: Taken.args, **kwargs: Taken.kwargs) -> Answer:
            work = next(iter(args), None)
            if not isinstance(work, OrgWork):
                raise TypeError(f"{guarded.__qualname__} asks for a feature, so its first parameter is an OrgWork")
            await require_feature(work, feature)
            return await guarded(*args, **kwargs)

        vars(asking)[REFUSES] = (FeatureNeeded,)
        return asking

    return guard


async def require_feature(work: OrgWork, feature: str) -> None:
    """Go on only if the plan of the work's organization has a feature: FeatureNeeded, answered 402."""
    found = await queries.entitlements(work, work.org)
    if not found.has(feature):
        raise FeatureNeeded(more={"feature": feature} | offer(work, work.org, found))


async def require_room(work: OrgWork, limit: str, *, used: Count, adding: int = 1) -> None:
    """Go on only if so many more fit into a limit of the plan: LimitReached, answered 402.

    What `used` counts is counted by one after the other until the commit; without a limit nothing is counted.
    """
    found = await queries.entitlements(work, work.org)
    most = found.limit(limit)
    if most is None:
        return
    await hold_count(work, what=f"plans.limit {limit} {work.org}")
    refuse_beyond(work, work.org, found, limit, used=await used(work) or 0, adding=adding)


def refuse_beyond(work: Work, org_id: UUID, found: Entitled, limit: str, *, used: int, adding: int) -> None:
    """LimitReached if so many more do not fit."""
    most = found.limit(limit)
    if most is not None and used + adding > most:
        raise LimitReached(more={"limit": limit, "allowed": most, "used": used} | offer(work, org_id, found))


def offer(work: Work, org_id: UUID, found: Entitled) -> dict[str, Any]:
    """What a client needs to offer another plan: the one there is, and where to get another."""
    template = work.runtime.section(PlanSettings).link_upgrade
    return {"plan": found.plan.key, "upgrade_url": template.replace("{org}", ORG_ID.text(org_id)) or None}
