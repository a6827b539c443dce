"""Names at Stripe: what each product, price and feature of the plan file is called there, which is how it is found."""

from __future__ import annotations

from tenantry.plans.models import Plan, Price

OURS = "tenantry_"
"""How every name begins that is ours to give; what is called otherwise at Stripe is somebody else's."""


def product_id(plan_key: str) -> str:
    """The id of a plan's product, which its versions share."""
    return f"{OURS}{plan_key}"


def lookup_key(plan: Plan, price: Price) -> str:
    """The name of a price; it stays where the amount changes, so that whoever sells finds the one that is sold."""
    return f"{product_id(plan.key)}_{plan.version}_{price.interval}_{price.currency}"


def feature_key(feature: str) -> str:
    """The name of a feature."""
    return f"{OURS}{feature}"


def by_seat(plan: Plan, interval: str | None, currency: str | None) -> bool:
    """Whether what is paid by this interval is paid for each seat; of a price that it has not, the plan says."""
    sold = [price for price in plan.prices if (price.interval, price.currency) == (interval, currency)]
    return plan.seats is not None and all(price.per_seat for price in sold)
