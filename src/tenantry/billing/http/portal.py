"""The portal over HTTP."""

from __future__ import annotations

from tenantry.billing import exchanges
from tenantry.billing.http.checkouts import OF_STRIPE
from tenantry.billing.http.shapes import routes
from tenantry.billing.inputs import ASKING_STRIPE
from tenantry.billing.permissions import BILLING_WRITE
from tenantry.billing.problems import NotSubscribed
from tenantry.foundation.call import Call
from tenantry.foundation.wire import Wire


class PortalView(Wire):
    """Where the portal is; good for one person, for a few minutes."""

    url: str


@routes.post(
    "/orgs/{org}/billing/portal",
    requires=BILLING_WRITE,
    status=201,
    problems=(NotSubscribed, *OF_STRIPE),
    answer_example={"url": "https://billing.stripe.com/p/session/test_a1"},
    even_restricted=True,
    limits=(ASKING_STRIPE,),
)
async def open_portal(call: Call) -> PortalView:
    """Open Stripe's own pages on cards, tax ids and invoices; whoever has never been a customer has none."""
    return PortalView(url=await exchanges.open_portal(call))
