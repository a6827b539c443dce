"""The page of cancelling: when it would end, why one wants that, and what is lost."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tenantry.billing import actions, exchanges
from tenantry.billing.console import wording
from tenantry.billing.console.frame import PLACE, pages, place_of
from tenantry.billing.exchanges.asked import org_of
from tenantry.billing.inputs import ASKING_STRIPE
from tenantry.billing.models.changes import SERVED
from tenantry.billing.permissions import BILLING_WRITE
from tenantry.foundation.call import Call
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork


class Cancelled(Wire):
    """Why, in somebody's own words, if they want to say it."""

    reason: Annotated[str, Meta(max_length=500)] | None = None


@pages.get(f"{PLACE}/cancel", title="Cancel the subscription", template="billing_cancel", requires=BILLING_WRITE)
async def cancellation_page(work: OrgWork) -> Values:
    """Say when the subscription would end, or that it is to end already."""
    sheet = await actions.read_overview(work)
    held = sheet.subscription
    live = held is not None and held.live
    return {
        "place": place_of(work.org),
        "plan": sheet.plan.name,
        "live": live,
        "ends": "" if not live or sheet.ends is None else wording.moment(sheet.ends),
        "at_once": held is not None and held.status not in SERVED,
        "until": "" if held is None or held.period_end is None else wording.moment(held.period_end),
    }


@pages.post(f"{PLACE}/cancel", requires=BILLING_WRITE, even_restricted=True, limits=(ASKING_STRIPE,))
async def cancel(call: Call, form: Cancelled) -> SeeOther:
    """Cancel the subscription."""
    await exchanges.cancel_subscription(call, comment=form.reason)
    return SeeOther(f"{place_of(org_of(call))}?done=cancelled")
