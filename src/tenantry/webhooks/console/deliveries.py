"""The console's page of one delivery: from what happened to the last attempt to tell it."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.data.ids import EVENT_ID
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.problems import NotFound
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.webhooks import actions, queries
from tenantry.webhooks.console.frame import DELIVERY, IDS, ONE, at, endpoint_there, pages
from tenantry.webhooks.console.one import TONES
from tenantry.webhooks.permissions import WEBHOOKS_READ, WEBHOOKS_WRITE

NOTICES = {"again": "It is sent again now, and its schedule begins anew."}
DELIVERY_IDS = {**IDS, "delivery": EVENT_ID}


class Done(Wire):
    """What was just done, to say so."""

    done: str = ""


@pages.get(DELIVERY, title="Delivery", template="webhook_delivery", requires=WEBHOOKS_READ, ids=DELIVERY_IDS)
async def delivery_page(work: OrgWork, endpoint: UUID, delivery: UUID, query: Done) -> Values:
    """Show what is sent, and what came back each time."""
    one = await endpoint_there(work, endpoint)
    which = {"org_id": work.org, "endpoint_id": endpoint, "event_id": delivery}
    sent = await queries.delivery_if_any(work, **which)
    if sent is None:
        raise NotFound
    return {
        "endpoint": one,
        "endpoint_place": at(ONE, work.org, endpoint=endpoint),
        "id": EVENT_ID.text(delivery),
        "sent": sent,
        "tone": TONES[sent.state],
        "log": await queries.attempts(work, **which, most=queries.MOST_ATTEMPTS),
        "may_write": work.may(WEBHOOKS_WRITE),
        "notice": NOTICES.get(query.done),
    }


@pages.post(f"{DELIVERY}/retry", of=DELIVERY, requires=WEBHOOKS_WRITE, ids=DELIVERY_IDS)
async def retry(work: OrgWork, endpoint: UUID, delivery: UUID) -> SeeOther:
    """Have a delivery sent now, whatever came of it before."""
    await actions.retry_delivery(work, endpoint_id=endpoint, event_id=delivery)
    return SeeOther(at(DELIVERY, work.org, endpoint=endpoint, delivery=delivery, done="again"))
