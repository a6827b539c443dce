"""Steps from what is found at Stripe to what is to be for sale there.

Nothing is asked for here. What is found under names that are not ours is never part of a step, and nothing is deleted:
what is sold no more is archived, so that whoever is subscribed to it stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Literal

import msgspec

from tenantry.billing.models.prices import OURS
from tenantry.billing.models.selling import LICENSED, PRICE, Price, Wanted
from tenantry.billing.models.subscriptions import PLAN
from tenantry.billing.stripe import shapes

Thing = Literal["product", "price", "feature"]
_OURS = re.compile(rf"{OURS}[a-z][a-z0-9_]*")
ForSale = shapes.Product | shapes.Price | shapes.Feature


class Found(msgspec.Struct, frozen=True):
    """What there is at Stripe: `attached` says by product which features it has, with the id of that."""

    products: tuple[shapes.Product, ...] = ()
    prices: tuple[shapes.Price, ...] = ()
    features: tuple[shapes.Feature, ...] = ()
    attached: Mapping[str, tuple[shapes.ProductFeature, ...]] = {}


class Step(msgspec.Struct, frozen=True):
    """One thing to do at Stripe; `id` is of what is there, and `feature` the name of one that may not be there yet."""

    does: Literal["make", "change", "attach", "detach"]
    thing: Thing
    name: str
    sentence: str
    id: str = ""
    params: Mapping[str, Any] = {}
    feature: str = ""

    @property
    def key(self) -> str:
        """The idempotency key of whoever first sees that this is to be done: the same for all who do."""
        return f"plans-{sha256(msgspec.json.encode(self, order='sorted')).hexdigest()[:40]}"


def steps(want: Wanted, found: Found) -> tuple[Step, ...]:
    """What is to be done, in an order in which each step can be; none where Stripe has what the plan file says.

    What is sold comes before what is sold no more: a process that is killed between leaves too much, never too little.
    """
    return (
        *_put_features(want, found),
        *_put_products(want, found),
        *_put_prices(want, found),
        *_attach(want, found),
        *_archive_prices(want, found),
        *_detach(want, found),
        *_archive_products(want, found),
        *_archive_features(want, found),
    )


def is_ours(found: ForSale) -> bool:
    """Whether something at Stripe has a name that we gave; a price also where it lost it to another one of ours."""
    if isinstance(found, shapes.Product):
        return _OURS.fullmatch(found.id) is not None
    if isinstance(found, shapes.Price) and PRICE in found.metadata:
        return True
    return _OURS.fullmatch(found.lookup_key or "") is not None


def _put_features(want: Wanted, found: Found) -> Iterator[Step]:
    for name, title in want.features.items():
        known = _feature(found, name)
        if known is None:
            made = {"lookup_key": name, "name": title}
            yield Step("make", "feature", name, f"make the feature {name} ({title})", params=made)
        elif differs := _differences(known, name=title):
            yield _change("feature", name, known.id, differs)


def _feature(found: Found, name: str) -> shapes.Feature | None:
    """The one of a name; of several, the one that can be attached."""
    named = [one for one in found.features if one.lookup_key == name]
    return next((one for one in named if one.active), next(iter(named), None))


def _put_products(want: Wanted, found: Found) -> Iterator[Step]:
    known = {one.id: one for one in found.products}
    for product in want.products:
        metadata = {PLAN: product.plan}
        if product.id not in known:
            made = {"id": product.id, "name": product.name, "metadata": metadata}
            yield Step("make", "product", product.id, f"make the product {product.id} ({product.name})", params=made)
        elif differs := _differences(known[product.id], metadata, name=product.name):
            yield _change("product", product.id, product.id, differs)


def _put_prices(want: Wanted, found: Found) -> Iterator[Step]:
    for price in want.prices:
        known = _price(found, price.name)
        if known is None or not price.same(known):
            yield _make_price(price, known)
        elif differs := _differences(known, price.metadata):
            yield _change("price", price.name, known.id, differs)


def _price(found: Found, name: str) -> shapes.Price | None:
    return next((one for one in found.prices if one.lookup_key == name), None)


def _make_price(price: Price, instead: shapes.Price | None) -> Step:
    costs = f"{price.amount} {price.currency} a {price.interval}"
    # whose name it takes is said: another one's key is another's, also where the amount comes back
    taken = "" if instead is None else f", in place of {instead.id}"
    made = {
        "product": price.product, "unit_amount": price.amount, "currency": price.currency, "lookup_key": price.name,
        "recurring": {"interval": price.interval, "usage_type": LICENSED}, "transfer_lookup_key": True,
        "metadata": price.metadata,
    }  # fmt: skip
    return Step("make", "price", price.name, f"make the price {price.name}: {costs}{taken}", params=made)


def _attach(want: Wanted, found: Found) -> Iterator[Step]:
    for product in want.products:
        has = {one.entitlement_feature.lookup_key for one in found.attached.get(product.id, ())}
        for name in product.features:
            if name not in has:
                sentence = f"attach the feature {name} to the product {product.id}"
                yield Step("attach", "product", product.id, sentence, product.id, feature=name)


def _detach(want: Wanted, found: Found) -> Iterator[Step]:
    for product in want.products:
        for one in found.attached.get(product.id, ()):
            name = one.entitlement_feature.lookup_key
            if is_ours(one.entitlement_feature) and name not in product.features:
                sentence = f"take the feature {name} off the product {product.id}"
                yield Step("detach", "product", product.id, sentence, one.id, feature=name)


def _archive_prices(want: Wanted, found: Found) -> Iterator[Step]:
    kept = {price.name: price for price in want.prices}
    for one in found.prices:
        sold = kept.get(one.lookup_key or "")
        # one on a product that is not ours has its name taken at most
        if one.active and is_ours(one) and one.product.startswith(OURS) and not (sold and sold.same(one)):
            name = one.lookup_key or one.metadata[PRICE]
            yield _archive("price", f"{name} ({one.id})", one.id)


def _archive_products(want: Wanted, found: Found) -> Iterator[Step]:
    kept = {one.id for one in want.products}
    for one in found.products:
        if one.active and is_ours(one) and one.id not in kept:
            yield _archive("product", one.id, one.id)


def _archive_features(want: Wanted, found: Found) -> Iterator[Step]:
    for one in found.features:
        if one.active and is_ours(one) and one.lookup_key not in want.features:
            yield _archive("feature", one.lookup_key, one.id)


def _archive(thing: Thing, name: str, id_: str) -> Step:
    return Step("change", thing, name, f"archive the {thing} {name}", id_, {"active": False})


def _change(thing: Thing, name: str, id_: str, differs: Mapping[str, Any]) -> Step:
    said = ", ".join(_said(differs))
    return Step("change", thing, name, f"change the {thing} {name}: {said}", id_, differs)


def _said(differs: Mapping[str, Any]) -> Iterable[str]:
    for field, value in differs.items():
        yield "sold again" if field == "active" else f"its {field} is {msgspec.json.encode(value).decode()}"


def _differences(known: ForSale, metadata: Mapping[str, str] | None = None, **fields: str) -> dict[str, Any]:
    """What is to be said of something so that it is sold, and called this; metadata beside ours stays."""
    differs: dict[str, Any] = {name: value for name, value in fields.items() if getattr(known, name) != value}
    if not known.active:
        differs["active"] = True
    has = {} if isinstance(known, shapes.Feature) else known.metadata
    if missing := {name: text for name, text in (metadata or {}).items() if has.get(name) != text}:
        differs["metadata"] = missing
    return differs
