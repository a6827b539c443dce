"""Checkouts: one open page an organization on which it subscribes, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import msgspec

from tenantry.billing import queries
from tenantry.billing.actions.intents import keep_new, settle_intent
from tenantry.billing.events import CheckoutEnded, CheckoutOpened
from tenantry.billing.models import Checkout, Intent, IntentState, NewCheckout
from tenantry.billing.models.subscriptions import moment
from tenantry.billing.permissions import BILLING_READ, BILLING_WRITE
from tenantry.billing.problems import AlreadySubscribed, BillingBusy
from tenantry.billing.stripe import shapes
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.orgs import actions as orgs


@action(requires=BILLING_WRITE)
async def begin_checkout(work: OrgWork, *, wish: NewCheckout) -> Intent:
    """Keep what an organization wants to subscribe to; the one that is open comes first, whatever it is to."""
    await orgs.hold_open_org(work, work.org)
    await refuse_second(work)
    kept = await keep_new(work, "checkout", wish)
    found = kept or await queries.intent_under_way(work, org_id=work.org, kind="checkout")
    if found is None:
        raise BillingBusy
    return found


async def refuse_second(work: OrgWork) -> None:
    """AlreadySubscribed where the organization has a subscription that lives."""
    held = await queries.subscription_in_force(work, org_id=work.org)
    if held is not None and held.live:
        raise AlreadySubscribed(more={"status": held.status})


@action(requires=HOUSE, records=(CheckoutOpened, CheckoutEnded))
async def settle_checkout(work: SystemWork, *, intent: Intent, session: shapes.Session) -> Checkout:
    """Keep what Stripe says of a checkout."""
    await queries.hold_customer_of_org(work, org_id=intent.org_id)
    known = await queries.intent_of_org(work, org_id=intent.org_id, id=intent.id)
    if known is None:
        raise NotFound
    state: IntentState = OUTCOMES.get(session.status or "", "open")
    if known.state in ("asked", "open"):
        await settle_intent(
            work, intent=intent, state=state, foreign_id=session.id, url=session.url,
            expires_at=moment(session.expires_at),
        )  # fmt: skip
        _record(work, known, state)
    return checkout_of(await queries.intent_of_org(work, org_id=intent.org_id, id=intent.id) or known)


def _record(work: SystemWork, known: Intent, state: IntentState) -> None:
    offer = offered(known).offer
    if known.state == "asked" and state == "open":
        work.record(
            CheckoutOpened(
                org_id=known.org_id, checkout_id=known.id, plan=offer.plan, plan_version=offer.version,
                interval=offer.interval, quantity=offer.quantity,
            )
        )  # fmt: skip
    elif state != "open":
        work.record(CheckoutEnded(org_id=known.org_id, checkout_id=known.id, completed=state == "done"))


end_open = value(
    UUID,
    """
    update tenantry.billing_intents
       set state = :state, settled_at = tenantry.now()
     where org_id = :org_id
       and kind = 'checkout'
       and foreign_id = :foreign_id
       and state in ('asked', 'open')
 returning id
    """,
)


async def end_checkout(work: SystemWork, org_id: UUID, session: shapes.Session) -> bool:
    """Keep that a checkout is over, if Stripe says so and it was not known; whoever asks holds the customer."""
    state = OUTCOMES.get(session.status or "")
    if state is None:
        return False
    ended = await end_open(work, org_id=org_id, foreign_id=session.id, state=state)
    if ended is not None:
        work.record(CheckoutEnded(org_id=org_id, checkout_id=ended, completed=state == "done"))
    return ended is not None


OUTCOMES: Mapping[str, IntentState] = {"complete": "done", "expired": "expired"}
"""What a session that is over means for its intent."""


async def read_checkout(work: OrgWork, checkout_id: UUID) -> Intent:
    """A checkout of the organization; NotFound for another one's."""
    work.require(BILLING_READ)
    found: Intent | None = await queries.intent_of_org(work, org_id=work.org, id=checkout_id)
    if found is None or found.kind != "checkout":
        raise NotFound
    return found


def offered(intent: Intent) -> NewCheckout:
    """What a checkout is for."""
    return msgspec.json.decode(intent.params, type=NewCheckout)


def checkout_of(intent: Intent) -> Checkout:
    """A checkout as it is shown."""
    return Checkout(
        id=intent.id, state=intent.state, offer=offered(intent).offer, url=intent.url, expires_at=intent.expires_at
    )
