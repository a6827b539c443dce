"""What the pages of billing have in common: where they are, and where their forms may lead."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from tenantry.billing.settings import BillingSettings
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.pages import Pages
from tenantry.foundation.runtime import Runtime

pages = Pages("billing", Path(__file__).parent / "templates")
PLACE = "/account/orgs/{org}/billing"


def place_of(org_id: UUID) -> str:
    """The path of an organization's billing page."""
    return PLACE.format(org=ORG_ID.text(org_id))


def at_stripe(runtime: Runtime) -> tuple[str, ...]:
    """Where Stripe's own pages are, on which people pay; nowhere while billing is off."""
    settings = runtime.section(BillingSettings)
    return settings.page_origins if settings.on else ()
