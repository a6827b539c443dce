"""What the console's pages of billing have in common: where they are, and where their forms may lead."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from tenantry.billing.settings import BillingSettings
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.pages import ConsolePages
from tenantry.foundation.runtime import Runtime

PLACE = "/console/orgs/{org}/billing"

pages = ConsolePages("billing", Path(__file__).parent / "templates", menu={PLACE: "Billing"})


def place_of(org_id: UUID) -> str:
    """The path of an organization's billing page."""
    return PLACE.format(org=ORG_ID.text(org_id))


def at_stripe(runtime: Runtime) -> tuple[str, ...]:
    """Where Stripe's own pages are, on which people pay; nowhere while billing is off."""
    settings = runtime.section(BillingSettings)
    return settings.page_origins if settings.on else ()
