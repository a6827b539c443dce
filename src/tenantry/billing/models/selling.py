"""Selling: what the plan file says is for sale, by the names that it has at Stripe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from tenantry.billing.models.prices import feature_key, lookup_key, product_id
from tenantry.billing.models.subscriptions import PLAN, PLAN_VERSION
from tenantry.billing.stripe import shapes
from tenantry.plans.models import Catalogue

PRICE = "tenantry_price"
"""In the metadata of a price at Stripe: the name that it was made for, which it may have lost to another since."""
LICENSED = "licensed"
"""How seats are bought: so many, and not as many as were used."""


class Product(msgspec.Struct, frozen=True):
    """A product that is to be there: one for each plan, with the features that any version of the plan has."""

    id: str
    name: str
    plan: str
    features: tuple[str, ...] = ()


class Price(msgspec.Struct, frozen=True):
    """A price that is to be there."""

    name: str
    product: str
    amount: int
    currency: str
    interval: str
    metadata: Mapping[str, str]

    def same(self, found: shapes.Price) -> bool:
        """Whether a price at Stripe costs this, for this; what it cannot be changed in."""
        every = found.recurring
        rhythm = None if every is None else (every.interval, every.interval_count, every.usage_type)
        costs = (found.product, found.unit_amount, found.currency, rhythm)
        return costs == (self.product, self.amount, self.currency, (self.interval, 1, LICENSED))


class Wanted(msgspec.Struct, frozen=True):
    """What the plan file says is for sale; features by their names at Stripe."""

    products: tuple[Product, ...]
    prices: tuple[Price, ...]
    features: Mapping[str, str]


def wanted(catalogue: Catalogue) -> Wanted:
    """What a plan file wants, in all versions that are in it."""
    return Wanted(
        products=tuple(
            Product(product_id(key), plan.name, key, tuple(_features(catalogue, key)))
            for key, plan in catalogue.latest.items()
        ),
        prices=tuple(
            Price(
                name := lookup_key(plan, price), product_id(plan.key), price.amount, price.currency, price.interval,
                {PLAN: plan.key, PLAN_VERSION: str(plan.version), PRICE: name},
            )
            for plan in catalogue.plans
            for price in plan.prices
        ),
        features={feature_key(key): title for key, title in catalogue.features.items()},
    )  # fmt: skip


def _features(catalogue: Catalogue, plan_key: str) -> Iterator[str]:
    # those of all versions: who bought one keeps what it has
    versions = [plan for plan in catalogue.plans if plan.key == plan_key]
    return (feature_key(key) for key in catalogue.features if any(plan.has(key) for plan in versions))
