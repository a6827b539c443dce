"""What billing keeps, as structs, and what is true of each alone, a file a noun."""

from __future__ import annotations

from tenantry.billing.models import invoices, subscriptions
from tenantry.billing.models.access import Access, Course, Level, Policy, Reason, access, course, ending
from tenantry.billing.models.closing import END, ToEnd
from tenantry.billing.models.intents import (
    ATTEMPTS_A_KEY,
    CHECKOUT_ID,
    SETTLED_WITHIN,
    Checkout,
    Intent,
    IntentKind,
    IntentState,
    NewCheckout,
    NewCustomer,
    Offer,
)
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
from tenantry.billing.models.overview import Overview
from tenantry.billing.models.prices import lookup_key
from tenantry.billing.models.reconciling import GO_ON, OfOrg, Position, Round
from tenantry.billing.models.reports import UsageReport
from tenantry.billing.models.selling import wanted
from tenantry.billing.models.signature import TOLERANCE, signed
from tenantry.billing.models.steps import Found, Step, is_ours, steps
from tenantry.billing.models.subscriptions import (
    PLAN,
    PLAN_VERSION,
    Billed,
    Subscription,
    changed_fields,
    settle_duplicates,
)
from tenantry.billing.models.truth import Truth

__all__ = [
    "APPLY",
    "ATTEMPTS",
    "ATTEMPTS_A_KEY",
    "CHECKOUT_ID",
    "END",
    "GO_ON",
    "PLAN",
    "PLAN_VERSION",
    "SETTLED_WITHIN",
    "SUBJECTS",
    "TOLERANCE",
    "TRIAL_ENDING",
    "Access",
    "Begun",
    "Billed",
    "Checkout",
    "Course",
    "Found",
    "Intent",
    "IntentKind",
    "IntentState",
    "Invoice",
    "Level",
    "NewCheckout",
    "NewCustomer",
    "Notice",
    "OfOrg",
    "Offer",
    "Overview",
    "Policy",
    "Position",
    "Reason",
    "Round",
    "State",
    "Step",
    "Subject",
    "Subscription",
    "ToApply",
    "ToEnd",
    "Told",
    "Truth",
    "UsageReport",
    "access",
    "changed_fields",
    "course",
    "ending",
    "invoices",
    "is_ours",
    "lookup_key",
    "settle_duplicates",
    "signed",
    "steps",
    "subscriptions",
    "wanted",
]
