"""What is for sale: products, prices and features, each found by a name of ours before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantry.billing.stripe.account import account, checked
from tenantry.billing.stripe.errors import Refused
from tenantry.billing.stripe.shapes import Feature, Listed, Price, Product, ProductFeature
from tenantry.foundation.runtime import Runtime

MOST = 100


async def put_product(
    runtime: Runtime, product_id: str, *, key: str, name: str, metadata: Mapping[str, str]
) -> Product:
    """The product of this id, which is ours to choose, as it is to be."""
    try:
        known = await account(runtime).ask("get", checked(f"products/{product_id}"), Product)
    except Refused as error:
        if not error.missing:
            raise
        return await account(runtime).ask(
            "post", "products", Product, key=key, id=product_id, name=name, metadata=metadata
        )
    if (known.name, known.active) == (name, True) and metadata.items() <= known.metadata.items():
        return known
    return await account(runtime).ask(
        "post", checked(f"products/{product_id}"), Product, key=key, name=name, active=True, metadata=metadata
    )


async def find_price(runtime: Runtime, lookup_key: str) -> Price | None:
    """The price that is known by this name."""
    found: Listed[Price] = await account(runtime).ask("get", "prices", Listed[Price], lookup_keys=[lookup_key], limit=1)
    return found.data[0] if found.data else None


async def put_price(
    runtime: Runtime,
    lookup_key: str,
    *,
    key: str,
    product_id: str,
    amount: int,
    currency: str,
    interval: str,
    metadata: Mapping[str, str],
) -> Price:
    """The price of this name. A price never changes: one that is to be another is a new one, which takes the name."""
    known = await find_price(runtime, lookup_key)
    if known is not None and known.active and _same(known, product_id, amount, currency, interval):
        if metadata.items() <= known.metadata.items():
            return known
        return await account(runtime).ask("post", checked(f"prices/{known.id}"), Price, key=key, metadata=metadata)
    return await account(runtime).ask(
        "post", "prices", Price, key=key, product=product_id, unit_amount=amount, currency=currency,
        recurring={"interval": interval}, lookup_key=lookup_key, transfer_lookup_key=True, metadata=metadata,
    )  # fmt: skip


def _same(known: Price, product_id: str, amount: int, currency: str, interval: str) -> bool:
    each = None if known.recurring is None else (known.recurring.interval, known.recurring.interval_count)
    return (known.product, known.unit_amount, known.currency, each) == (product_id, amount, currency, (interval, 1))


async def put_feature(runtime: Runtime, lookup_key: str, *, key: str, name: str) -> Feature:
    """The feature of this name, which it keeps for good."""
    found: Listed[Feature] = await account(runtime).ask(
        "get", "entitlements/features", Listed[Feature], lookup_key=lookup_key, limit=1
    )
    if not found.data:
        return await account(runtime).ask(
            "post", "entitlements/features", Feature, key=key, lookup_key=lookup_key, name=name
        )
    known = found.data[0]
    if (known.name, known.active) == (name, True):
        return known
    path = checked(f"entitlements/features/{known.id}")
    return await account(runtime).ask("post", path, Feature, key=key, name=name, active=True)


async def attach_feature(runtime: Runtime, product_id: str, feature_id: str, *, key: str) -> None:
    """Let a product have a feature, if it has not."""
    path = checked(f"products/{product_id}/features")
    found: Listed[ProductFeature] = await account(runtime).ask("get", path, Listed[ProductFeature], limit=MOST)
    if all(one.entitlement_feature.id != feature_id for one in found.data):
        made: dict[str, Any] = {"entitlement_feature": feature_id}
        await account(runtime).ask("post", path, ProductFeature, key=key, **made)
