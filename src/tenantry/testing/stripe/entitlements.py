"""Features that products bring, and which of them a customer is entitled to now."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import notices, shapes
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.lists import page
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import invalid, listing

ENTITLED = {"active", "trialing", "past_due"}
KIND, ACTIVE = "entitlements.feature", "entitlements.active_entitlement"


@route("POST", "/entitlements/features", needs=("lookup_key", "name"), lookup_key=shapes.text, name=shapes.text,
       metadata=shapes.metadata)  # fmt: skip
def create_feature(asked: Asked) -> Thing:
    """A new feature; its lookup key is for ever."""
    books, key = asked.books, asked.params["lookup_key"]
    if len(key) > 80 or len(asked.params["name"]) > 80:
        raise invalid("Lookup keys and names have at most 80 characters.", "lookup_key")
    if any(one["lookup_key"] == key and one["active"] for one in books.newest_first(KIND)):
        raise invalid(f"An active feature already has the lookup key {key}.", "lookup_key", "resource_already_exists")
    return books.put(
        {
            "id": books.new_id("feat", 24),
            "object": KIND,
            "active": True,
            "livemode": books.livemode,
            "lookup_key": key,
            "metadata": merged({}, asked.get("metadata", {})),
            "name": asked.params["name"],
        }
    )


@route("GET", "/entitlements/features", lists=True, lookup_key=shapes.text, archived=shapes.flag)
def list_features(asked: Asked) -> Thing:
    """Features, by lookup key if one is given."""
    key, archived = asked.get("lookup_key"), asked.get("archived", False)
    found = [
        one
        for one in asked.books.newest_first(KIND)
        if key in (None, one["lookup_key"]) and one["active"] is not archived
    ]
    return page(asked, "/v1/entitlements/features", found)


@route("GET", "/entitlements/features/{}")
def retrieve_feature(asked: Asked) -> Thing:
    """One feature."""
    return asked.books.get(KIND, asked.id)


@route("POST", "/entitlements/features/{}", name=shapes.text, active=shapes.flag, metadata=shapes.metadata)
def update_feature(asked: Asked) -> Thing:
    """Rename a feature, or archive it."""
    books, feature = asked.books, asked.books.get(KIND, asked.id)
    books.change(feature, **{name: asked.params[name] for name in ("name", "active") if name in asked.params})
    if "metadata" in asked.params:
        books.change(feature, metadata=merged(feature["metadata"], asked.params["metadata"]))
    return feature


@route("POST", "/products/{}/features", needs=("entitlement_feature",), entitlement_feature=shapes.text)
def attach(asked: Asked) -> Thing:
    """Have a product bring a feature."""
    books, product = asked.books, asked.books.get("product", asked.id)
    feature = books.get(KIND, asked.params["entitlement_feature"], "entitlement_feature")
    if any(one["entitlement_feature"]["id"] == feature["id"] for one in _of_product(books, product["id"])):
        raise invalid("This feature is already attached to the product.", "entitlement_feature")
    brought = books.put(
        {
            "id": books.new_id("prodft"),
            "object": "product_feature",
            "entitlement_feature": feature,
            "livemode": books.livemode,
        }
    )
    books.keep(f"product:{brought['id']}", product["id"])
    _refresh_all(books)
    return brought


@route("GET", "/products/{}/features", lists=True)
def of_product(asked: Asked) -> Thing:
    """What a product brings."""
    asked.books.get("product", asked.id)
    return page(asked, f"/v1/products/{asked.id}/features", _of_product(asked.books, asked.id))


@route("GET", "/products/{}/features/{}")
def retrieve(asked: Asked) -> Thing:
    """One feature of a product."""
    return asked.books.get("product_feature", asked.path[1])


@route("DELETE", "/products/{}/features/{}")
def detach(asked: Asked) -> Thing:
    """Have a product bring a feature no more."""
    brought = asked.books.get("product_feature", asked.path[1])
    asked.books.remove(brought)
    _refresh_all(asked.books)
    return {"id": brought["id"], "object": "product_feature", "deleted": True}


def _of_product(books: Books, product: str) -> list[Thing]:
    return [one for one in books.newest_first("product_feature") if books.secrets[f"product:{one['id']}"] == product]


@route("GET", "/entitlements/active_entitlements", lists=True, needs=("customer",), customer=shapes.text)
def active(asked: Asked) -> Thing:
    """What a customer is entitled to now."""
    asked.books.get("customer", asked.params["customer"], "customer")
    return page(
        asked, "/v1/entitlements/active_entitlements", asked.books.newest_first(ACTIVE, asked.params["customer"])
    )


@route("GET", "/entitlements/active_entitlements/{}")
def retrieve_active(asked: Asked) -> Thing:
    """One entitlement of a customer."""
    return asked.books.get(ACTIVE, asked.id)


def _refresh_all(books: Books) -> None:
    for customer in {one["customer"] for one in books.kinds["subscription"].values()}:
        refreshed(books, customer)


def refreshed(books: Books, customer: str) -> None:
    """Bring a customer's entitlements up to its subscriptions, and tell if they differ."""
    if not books.kinds["product_feature"]:
        return
    have = {one["feature"]: one for one in books.newest_first(ACTIVE, customer)}
    due = _due(books, customer)
    if set(have) == set(due):
        return
    before = _summary(books, customer)
    for gone in set(have) - set(due):
        books.remove(have[gone])
    for new in set(due) - set(have):
        _granted(books, customer, due[new])
    notices.told(books, "entitlements.active_entitlement_summary.updated", _summary(books, customer), before)


def _due(books: Books, customer: str) -> dict[str, Thing]:
    living = [one for one in books.newest_first("subscription", customer) if one["status"] in ENTITLED]
    products = {item["price"]["product"] for one in living for item in one["items"]["data"]}
    brought = [one["entitlement_feature"] for product in products for one in _of_product(books, product)]
    return {one["id"]: one for one in brought}


def _granted(books: Books, customer: str, feature: Thing) -> None:
    books.put(
        {
            "id": books.new_id("ent", 24),
            "object": ACTIVE,
            "customer": customer,
            "feature": feature["id"],
            "livemode": books.livemode,
            "lookup_key": feature["lookup_key"],
        }
    )


def _summary(books: Books, customer: str) -> dict[str, Any]:
    url = f"/v1/customer/{customer}/entitlements"
    entitlements = listing(url, copied(list(books.newest_first(ACTIVE, customer))))
    return {
        "object": "entitlements.active_entitlement_summary",
        "customer": customer,
        "entitlements": entitlements,
        "livemode": books.livemode,
    }
