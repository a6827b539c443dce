"""Intents: kept before Stripe is asked, taken up again by whoever comes after a death, and settled by the answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from tenantry.billing import queries
from tenantry.billing.models import ATTEMPTS_A_KEY, CHECKOUT_ID, SETTLED_WITHIN, Intent, IntentKind, IntentState
from tenantry.billing.permissions import BILLING_WRITE
from tenantry.billing.problems import BillingBusy
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import maybe, run
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import OrgWork, SystemWork

GIVEN_UP_AFTER = ATTEMPTS_A_KEY * 8
"""Attempts after which an intent that Stripe never answered is let go."""

keep_intent = maybe(
    Intent,
    """
    insert into tenantry.billing_intents (org_id, id, kind, params)
    values (tenantry.org(), :id, :kind, :params::text::jsonb)
        on conflict do nothing
 returning id, org_id, kind, attempt, params::text as params, state, foreign_id, url, expires_at, asked
    """,
    not_null=("params",),
)


@action(requires=BILLING_WRITE)
async def begin_intent(work: OrgWork, *, kind: IntentKind, params: msgspec.Struct) -> Intent:
    """Keep what Stripe is to be asked; BillingBusy while something is asked that does not go with it."""
    kept = await keep_new(work, kind, params)
    if kept is None:
        raise BillingBusy
    return kept


async def keep_new(work: OrgWork, kind: IntentKind, params: msgspec.Struct) -> Intent | None:
    """The intent as it is kept; None where another one stands in its way."""
    return await keep_intent(work, id=CHECKOUT_ID.new(), kind=kind, params=msgspec.json.encode(params).decode())


take_up = maybe(
    Intent,
    """
    update tenantry.billing_intents
       set attempt = attempt + 1, asked = nextval('tenantry.stripe_order'), asked_at = tenantry.now()
     where org_id = :org_id
       and id = :id
       and state = 'asked'
 returning id, org_id, kind, attempt, params::text as params, state, foreign_id, url, expires_at, asked
    """,
    not_null=("params",),
)


@action(requires=HOUSE)
async def take_up_intent(work: SystemWork, *, org_id: UUID, intent_id: UUID) -> Intent | None:
    """Ask for something once more that nobody heard the answer to; None where it is settled."""
    return await take_up(work, org_id=org_id, id=intent_id)


# a comment is somebody's own words, which Stripe has by now
settle = run("""
    update tenantry.billing_intents
       set state = :state, foreign_id = coalesce(:foreign_id, foreign_id), url = coalesce(:url, url), why = :why,
           expires_at = coalesce(:expires_at, expires_at), settled_at = tenantry.now(),
           params = params - 'comment'
     where org_id = :org_id
       and id = :id
       and state in ('asked', 'open')
""")


@action(requires=HOUSE)
async def settle_intent(
    work: SystemWork,
    *,
    intent: Intent,
    state: IntentState,
    foreign_id: str | None = None,
    url: str | None = None,
    expires_at: datetime | None = None,
    why: str | None = None,
) -> None:
    """Keep what became of an intent; what is over stays as it is."""
    await settle(
        work, org_id=intent.org_id, id=intent.id, state=state, foreign_id=foreign_id, url=url, why=why,
        expires_at=expires_at,
    )  # fmt: skip


async def stale_intents(work: SystemWork, *, most: int) -> Sequence[Intent]:
    """Intents whose answer nobody waits for any more, and checkouts whose time is over."""
    return await queries.stale_intents(work, within=SETTLED_WITHIN, most=most)
