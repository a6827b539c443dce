"""Whether Stripe answers to the key that is set, for `tenantry doctor`."""

from __future__ import annotations

from tenantry.billing.settings import BillingSettings
from tenantry.billing.stripe.catalogue import find_price
from tenantry.billing.stripe.errors import Misconfigured, StripeFailed
from tenantry.foundation.checkup import Finding
from tenantry.foundation.runtime import Runtime


async def check_stripe(runtime: Runtime) -> Finding:
    """Whether Stripe answers what billing asks it first; `off` where nothing is sold."""
    settings = runtime.section(BillingSettings)
    if not settings.on:
        return Finding("stripe", "off")
    try:
        await find_price(runtime, "a-price-that-nobody-made")
    except Misconfigured:
        return Finding(
            "stripe", "refused", "Look at TENANTRY_STRIPE_SECRET_KEY and what the key may do (docs/howto/stripe.md)."
        )
    except StripeFailed as error:
        return Finding(
            "stripe", "unreachable", f"Stripe did not answer ({error}); look at the network and its status page."
        )
    if not settings.stripe_webhook_secrets:
        return Finding(
            "stripe", "deaf", "Set TENANTRY_STRIPE_WEBHOOK_SECRETS: no notice of Stripe's is believed without."
        )
    return Finding("stripe", "ok")
