"""The clock of the local Stripe: it follows a source, can be moved ahead, and does in their order what falls due."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from tenantry.testing.stripe import checkout, dunning, renewals, schedules
from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.ending import expired

Deed = Callable[[Books, Thing, int], None]
DEEDS: dict[str, Deed] = {
    "cancel": renewals.cancelled,
    "collect_again": renewals.collects_again,
    "expire_checkout": checkout.ran_out,
    "finalize": dunning.advanced,
    "incomplete": expired,
    "phase": schedules.moved_on,
    "renew": renewals.renewed,
    "retry": dunning.retried,
    "trial_will_end": renewals.warned,
}


class Clock:
    """The present, so many seconds ahead of its source."""

    def __init__(self, source: Callable[[], float]) -> None:
        self._source = source
        self.ahead = 0

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._source()) + self.ahead


def caught_up(books: Books, until: int, clock: str = "") -> None:
    """Do everything that fell due up to this instant, each at its own."""
    agenda = books.agendas[clock]
    try:
        while agenda and agenda[0][0] <= until:
            at, _, _, deed, id_ = heapq.heappop(agenda)
            books.present[clock] = at
            thing = books.anything(id_)
            if thing is not None:
                DEEDS[deed](books, thing, at)
    finally:
        books.present.pop(clock, None)
