"""What plans are, and what an organization is entitled to by them: rows and rules, a file a noun."""

from __future__ import annotations

from tenantry.plans.models.catalogue import EVERYTHING, MOST_VALUE, Catalogue, Plan, Price, Seats
from tenantry.plans.models.entitlements import (
    API_RATE,
    HOLDINGS,
    JOB_WEIGHT,
    MOST_WEIGHT,
    OVERRIDES,
    SEATS,
    Entitled,
    Entitlement,
    Given,
    GivenAs,
    Held,
    Reason,
    Source,
    Taking,
    entitled,
)

__all__ = [
    "API_RATE",
    "EVERYTHING",
    "HOLDINGS",
    "JOB_WEIGHT",
    "MOST_VALUE",
    "MOST_WEIGHT",
    "OVERRIDES",
    "SEATS",
    "Catalogue",
    "Entitled",
    "Entitlement",
    "Given",
    "GivenAs",
    "Held",
    "Plan",
    "Price",
    "Reason",
    "Seats",
    "Source",
    "Taking",
    "entitled",
]
