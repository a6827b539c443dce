"""Gates: what asks the plan before it lets something happen. A refusal says which plan to look for, and where."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar
from uuid import UUID

from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.data.sql import run
from tenantry.foundation.problems import REFUSES
from tenantry.foundation.question import Question, nothing
from tenantry.foundation.work import Work
from tenantry.plans import queries
from tenantry.plans.models import Entitled, Taking
from tenantry.plans.problems import FeatureNeeded, LimitReached, OverLimit
from tenantry.plans.settings import PlanSettings


def _first(answers: Sequence[str | None]) -> str | None:
    return next(filter(None, answers), None)


where_plans_are_sold: Question[[UUID], str | None] = Question(
    "where_plans_are_sold", "On which page can this organization get another plan?", settle=_first
)

room_taken: Question[[UUID, Taking], None] = Question(
    "room_taken", "So much of a limit is taken now: who is to know?", settle=nothing
)

Taken = ParamSpec("Taken")
Answer = TypeVar("Answer")


class Count(Protocol):
    """A statement that counts what there is of something in the work's organization, or what comes before one of it."""

    async def __call__(self, work: Work, /) -> int | None:
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
            if not isinstance(work, Work) or not work.of_one_org:
                raise TypeError(f"{guarded.__qualname__} asks for a feature, so its first parameter is an OrgWork")
            await require_feature(work, feature)
            return await guarded(*args, **kwargs)

        vars(asking)[REFUSES] = (FeatureNeeded,)
        return asking

    return guard


async def require_feature(work: Work, feature: str) -> None:
    """Go on only if the plan of the work's organization has a feature: FeatureNeeded, answered 402."""
    org_id = org_of(work)
    found = await queries.entitlements(work, org_id)
    if not found.has(feature):
        raise FeatureNeeded(more={"feature": feature} | await offer(work, org_id, found))


async def require_room(
    work: Work, limit: str, *, used: Count | None = None, adding: int = 1, usual: int | None = None
) -> None:
    """Go on only if so many more fit into a limit of the plan: LimitReached, answered 402.

    What `used` counts, or else the quota that was declared for the limit, is counted by one after the other until the
    commit. Where the plan says nothing the limit is the `usual` one; without any, nothing is counted.
    """
    org_id = org_of(work)
    found = await queries.entitlements(work, org_id)
    own = found.limit(limit)
    most = usual if own is None else own
    if most is None:
        return
    await hold_count(work, what=f"plans.limit {limit} {org_id}")
    there = await (used or _declared(work, limit))(work) or 0
    await refuse_beyond(work, org_id, found, limit, most=most, used=there, adding=adding)
    await room_taken.ask(work, org_id, Taking(limit, before=there, after=there + adding, allowed=most))


def _declared(work: Work, limit: str) -> Count:
    quota = work.runtime.quotas.get(limit)
    if quota is None or quota.used is None:
        raise TypeError(f"no quota says how to count {limit}, so whoever asks for room has to")
    return quota.used


async def require_within(work: Work, limit: str, *, place: Count) -> None:
    """Go on only if what is to be changed is one of those that a limit has room for: OverLimit, answered 402.

    `place` counts it and all that came before it, the oldest first: 1 for the first. What is not there is refused by
    whoever looks for it. A smaller plan lets the oldest be changed, and the others be read and deleted.
    """
    org_id = org_of(work)
    found = await queries.entitlements(work, org_id)
    most = found.limit(limit)
    if most is None:
        return
    # nobody is kept waiting: what others add meanwhile comes later, and what they delete lets this one move up
    at = await place(work) or 0
    if at > most:
        raise OverLimit(more={"limit": limit, "allowed": most, "place": at} | await offer(work, org_id, found))


def org_of(work: Work) -> UUID:
    """The organization that a work is in, a member's or a job's; work of the house is in none."""
    org_id = work.call.actor.org
    if org_id is None or not work.of_one_org:
        raise TypeError("what a plan allows is asked in an organization's work, or in a job's `org_work`")
    return org_id


async def refuse_beyond(
    work: Work, org_id: UUID, found: Entitled, limit: str, *, most: int, used: int, adding: int
) -> None:
    """LimitReached if so many more are more than the most."""
    if used + adding > most:
        raise LimitReached(more={"limit": limit, "allowed": most, "used": used} | await offer(work, org_id, found))


async def offer(work: Work, org_id: UUID, found: Entitled) -> dict[str, Any]:
    """What a client needs to offer another plan: the one there is, and where to get another."""
    template = work.runtime.section(PlanSettings).link_upgrade
    own = template.replace("{org}", ORG_ID.text(org_id)) or None
    return {"plan": found.plan.key, "upgrade_url": own or await where_plans_are_sold.ask(work, org_id)}
