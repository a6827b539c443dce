"""Notices over HTTP: where Stripe tells us things."""

from __future__ import annotations

from tenantry.billing import exchanges
from tenantry.billing.http.shapes import routes
from tenantry.billing.problems import BadSignature, BillingOff, NotStripes
from tenantry.foundation.call import Call
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.raw import Raw


@routes.post(
    "/stripe/webhook",
    requires=ANYONE,
    status=202,
    problems=(BillingOff, BadSignature, NotStripes),
    example={"id": "evt_1", "object": "event", "type": "invoice.paid"},
)
async def take_notice(call: Call, raw: Raw) -> None:
    """Take what Stripe tells; the signature in `Stripe-Signature` is the credential."""
    await exchanges.take_notice(call, body=raw.body, signature=raw.header(b"stripe-signature"))
