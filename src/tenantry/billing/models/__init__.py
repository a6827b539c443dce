"""What billing keeps, as structs, and what is true of each alone, a file a noun."""

from __future__ import annotations

from tenantry.billing.models import invoices, subscriptions
from tenantry.billing.models.access import Access, Level, Policy, Reason, access, ending
from tenantry.billing.models.invoices import Invoice
from tenantry.billing.models.notices import (
    APPLY,
    ATTEMPTS,
    SUBJECTS,
    TRIAL_ENDING,
    Begun,
    Notice,
    State,
    Subject,
    ToApply,
    Told,
)
from tenantry.billing.models.signature import TOLERANCE, signed
from tenantry.billing.models.subscriptions import (
    PLAN,
    PLAN_VERSION,
    Subscription,
    changed_fields,
    settle_duplicates,
)
from tenantry.billing.models.truth import Truth

__all__ = [
    "APPLY",
    "ATTEMPTS",
    "PLAN",
    "PLAN_VERSION",
    "SUBJECTS",
    "TOLERANCE",
    "TRIAL_ENDING",
    "Access",
    "Begun",
    "Invoice",
    "Level",
    "Notice",
    "Policy",
    "Reason",
    "State",
    "Subject",
    "Subscription",
    "ToApply",
    "Told",
    "Truth",
    "access",
    "changed_fields",
    "ending",
    "invoices",
    "settle_duplicates",
    "signed",
    "subscriptions",
]
