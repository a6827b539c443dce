"""What is for sale: products, prices and features, each found by a name of ours before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from tenantry.billing.stripe.account import account, checked
from tenantry.billing.stripe.shapes import Feature, Listed, Named, Price, Product, ProductFeature
from tenantry.foundation.runtime import Runtime

MOST = 100
AT_ONCE = 10
"""Names that Stripe looks up in one question."""
Kind = TypeVar("Kind", Feature, Price, Product, ProductFeature)
FOLDERS = {"product": "products", "price": "prices", "feature": "entitlements/features"}


async def find_price(runtime: Runtime, lookup_key: str) -> Price | None:
    """The price that is known by this name."""
    found: Listed[Price] = await account(runtime).ask("get", "prices", Listed[Price], lookup_keys=[lookup_key], limit=1)
    return found.data[0] if found.data else None


async def attach_feature(runtime: Runtime, product_id: str, feature_id: str, *, key: str) -> None:
    """Let a product have a feature, if it has not."""
    path = checked(f"products/{product_id}/features")
    found: Listed[ProductFeature] = await account(runtime).ask("get", path, Listed[ProductFeature], limit=MOST)
    if all(one.entitlement_feature.id != feature_id for one in found.data):
        made: dict[str, Any] = {"entitlement_feature": feature_id}
        await account(runtime).ask("post", path, ProductFeature, key=key, **made)


async def every_product(runtime: Runtime) -> list[Product]:
    """Every product of the account, archived ones too."""
    return await _every(runtime, "products", Listed[Product])


async def every_feature(runtime: Runtime) -> list[Feature]:
    """Every feature of the account, archived ones after those that are not."""
    # a list of features has those that are not archived, unless it is asked for the others
    listed = [await _every(runtime, FOLDERS["feature"], Listed[Feature], archived=one) for one in (False, True)]
    return list({feature.id: feature for page in listed for feature in page}.values())


async def prices_of(runtime: Runtime, product_id: str) -> list[Price]:
    """Every price of a product, archived ones too."""
    return await _every(runtime, "prices", Listed[Price], product=product_id)


async def prices_named(runtime: Runtime, lookup_keys: Sequence[str]) -> list[Price]:
    """The prices that are known by these names, whatever product they are of."""
    parts = [lookup_keys[first : first + AT_ONCE] for first in range(0, len(lookup_keys), AT_ONCE)]
    found = [await _every(runtime, "prices", Listed[Price], lookup_keys=list(part)) for part in parts]
    return [price for part in found for price in part]


async def features_of(runtime: Runtime, product_id: str) -> list[ProductFeature]:
    """Which features a product has."""
    return await _every(runtime, checked(f"products/{product_id}/features"), Listed[ProductFeature])


async def _every(runtime: Runtime, path: str, kind: type[Listed[Kind]], **filters: Any) -> list[Kind]:
    found: list[Kind] = []
    while True:
        after = found[-1].id if found else None
        page = await account(runtime).ask("get", path, kind, limit=MOST, starting_after=after, **filters)
        found += page.data
        if not page.has_more or not page.data:
            return found


async def make(runtime: Runtime, thing: str, *, key: str, **params: Any) -> str:
    """Make a product, a price or a feature; its id."""
    return (await account(runtime).ask("post", FOLDERS[thing], Named, key=key, **params)).id


async def change(runtime: Runtime, thing: str, thing_id: str, *, key: str, **params: Any) -> None:
    """Change a product, a price or a feature; one is archived by `active=False`."""
    await account(runtime).ask("post", checked(f"{FOLDERS[thing]}/{thing_id}"), Named, key=key, **params)


async def detach_feature(runtime: Runtime, product_id: str, attached_id: str) -> None:
    """Take a feature off a product; the feature stays."""
    await account(runtime).ask("delete", checked(f"products/{product_id}/features/{attached_id}"), Named)
