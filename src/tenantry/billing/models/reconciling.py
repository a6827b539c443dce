"""Rounds: how far one comparison of our rows with Stripe's has come, and what it has found so far."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.jobs.job import NewJob

GO_ON = "billing.go_on_reconciling"
Step = Literal["listed", "ours", "told", "done"]
"""Stripe's subscriptions by its list; those of ours that were not on it; what it told and nobody heard."""


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison, a page at a time: a job carries it to the next one, so that it goes on where it stopped.

    `place` is in the order of questions, from before the first of them; moments are seconds since 1970.
    """

    since: int
    began_at: int
    place: int
    whole: bool = False
    step: Step = "listed"
    family: int = 0
    after: str | None = None
    looked: int = 0
    differed: int = 0
    lost: int = 0
    unknown: int = 0
    unread: int = 0
    replayed: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing is left to compare."""
        return self.step == "done"

    def asked(self) -> NewJob:
        """The job that goes on with it."""
        return NewJob.of(GO_ON, self, queue="billing")


class OfOrg(msgspec.Struct, frozen=True):
    """Whose a subscription is."""

    org_id: UUID
    id: str


class Position(msgspec.Struct, frozen=True):
    """Until when everything that Stripe told is known to have been heard."""

    heard_until: int | None
