"""Rates of organizations: how often each may ask, as whoever sells it says, and never older than a second.

What is asked for often is heard of in the background, for all organizations in use together; the first request after a
pause asks in its own transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from time import monotonic
from uuid import UUID

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.question import Question
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.rates.known import Heard
from tenantry.foundation.work import OrgWork, SystemWork

HEARD_AT_ONCE = 1000
HOUSE = Actor("house", name="rates")


def _first_said(answers: Sequence[Mapping[UUID, int | None]]) -> Mapping[UUID, int | None]:
    return {org: times for said in reversed(answers) for org, times in said.items()}


api_rates: Question[[Sequence[UUID]], Mapping[UUID, int | None]] = Question(
    "api_rates",
    "How often a minute may these organizations ask? None is without end; of those left out the setting says.",
    settle=_first_said,
)


async def rate_of(work: OrgWork) -> Heard:
    """How often the work's organization may ask."""
    orgs, now = work.runtime.rates.orgs, monotonic()
    if (heard := orgs.of(work.org, now)) is None:
        orgs.hear([work.org], await api_rates.ask(work, [work.org]), at=now)
        heard = orgs.of(work.org, now)
        assert heard is not None
        heard.used = now
    return heard


async def relearn(runtime: Runtime) -> None:
    """Hear again of the organizations in use."""
    now = monotonic()
    if not (orgs := list(islice(runtime.rates.orgs.in_use(now), HEARD_AT_ONCE))):
        return
    async with SystemWork(Call(runtime, HOUSE, "rates"), reason="rates of many organizations", reading=True) as work:
        runtime.rates.orgs.hear(orgs, await api_rates.ask(work, orgs), at=now)
