"""Paying: what an event says about a subscription, as it is put into the books."""

from __future__ import annotations

from typing import cast

import msgspec

from tenantry.admin.actions.insights.counting import Tally, day_of
from tenantry.admin.models.insights import Books, Standing, monthly
from tenantry.admin.models.insights.books import PAYS
from tenantry.billing.events import (
    SubscriptionChanged,
    SubscriptionDoubled,
    SubscriptionEnded,
    SubscriptionStarted,
)
from tenantry.foundation.events.log import Logged

Says = SubscriptionStarted | SubscriptionChanged | SubscriptionEnded | SubscriptionDoubled
SAYS = (SubscriptionStarted, SubscriptionChanged, SubscriptionEnded, SubscriptionDoubled)


def put(books: Books, tally: Tally, one: Logged) -> None:
    """Put what happened to a subscription into the books, and what that was for its trial among what is counted."""
    event = cast(Says, one.event)
    if isinstance(event, SubscriptionDoubled):
        _double(books, one, event)
        return
    trial = books.put(day_of(one), _standing(event, one, books.known(event.org_id, event.subscription)))
    if trial is not None:
        tally.orgs[trial, day_of(one), event.org_id] += 1


def _standing(
    event: SubscriptionStarted | SubscriptionChanged | SubscriptionEnded, one: Logged, known: Standing | None
) -> Standing:
    before = known or Standing(event.org_id, event.subscription, 0, "")
    if isinstance(event, SubscriptionEnded):
        return msgspec.structs.replace(before, number=one.position.id, status=event.status, monthly=0)
    brings = event.status in PAYS and event.unit_amount is not None
    return msgspec.structs.replace(
        before, number=one.position.id, status=event.status, plan=event.plan, currency=event.currency,
        monthly=monthly(event.unit_amount or 0, event.quantity, event.interval) if brings else 0,
    )  # fmt: skip


def _double(books: Books, one: Logged, event: SubscriptionDoubled) -> None:
    # it may be said before the newer one is heard of, and of a pair the other way round later
    for name, doubles in ((event.subscription, event.doubles), (event.doubles, None)):
        known = books.known(event.org_id, name) or Standing(event.org_id, name, 0, "")
        if known.number <= one.position.id and known.doubles != doubles:
            books.put(day_of(one), msgspec.structs.replace(known, doubles=doubles, number=one.position.id))
