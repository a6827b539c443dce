"""Products: what is sold."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import notices, shapes
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.prices import RECURRING, made
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.search import searched
from tenantry.testing.stripe.wire import invalid

FIELDS: shapes.Readers = {
    "name": shapes.text,
    "active": shapes.flag,
    "description": shapes.text,
    "images": shapes.each(shapes.text),
    "marketing_features": shapes.each(shapes.hash_of(name=shapes.text)),
    "metadata": shapes.metadata,
    "statement_descriptor": shapes.text,
    "tax_code": shapes.text,
    "unit_label": shapes.text,
    "url": shapes.text,
    "shippable": shapes.flag,
}
PRICE = shapes.hash_of(
    ("currency",),
    currency=shapes.text,
    unit_amount=shapes.amount,
    recurring=RECURRING,
    tax_behavior=shapes.text,
    metadata=shapes.metadata,
)


@route("POST", "/products", needs=("name",), **FIELDS, id=shapes.text, type=shapes.text, default_price_data=PRICE)
def create(asked: Asked) -> Thing:
    """A new product, under an id of the caller's if one is given."""
    books, params = asked.books, dict(asked.params)
    id_ = params.pop("id", None) or books.new_id("prod")
    if books.find("product", id_):
        raise invalid(f"Product already exists: {id_}", "id", "resource_already_exists")
    product = entered(books, id_, {name: params[name] for name in FIELDS if name in params})
    notices.told(books, "product.created", product)
    if params.get("default_price_data"):
        price = made(books, {**params["default_price_data"], "product": id_})
        books.change(product, default_price=price["id"])
    return product


def entered(books: Books, id_: str, given: dict[str, Any]) -> Thing:
    """Enter a product."""
    now = books.now()
    blank = dict.fromkeys(("description", "statement_descriptor", "tax_code", "unit_label", "url", "shippable"), None)
    return books.put(
        {
            "id": id_,
            "object": "product",
            **blank,
            "active": True,
            "created": now,
            "default_price": None,
            "images": [],
            "livemode": books.livemode,
            "marketing_features": [],
            "package_dimensions": None,
            "type": "service",
            "updated": now,
            **given,
            "metadata": merged({}, given.get("metadata") or {}),
        }
    )


@route("GET", "/products/search", needs=("query",), query=shapes.text, limit=shapes.whole, page=shapes.text)
def search(asked: Asked) -> Thing:
    """Products that a query finds."""
    return searched(asked, "product", "/v1/products/search")


@route("GET", "/products/{}")
def retrieve(asked: Asked) -> Thing:
    """One product."""
    return asked.books.get("product", asked.id)


@route("POST", "/products/{}", **FIELDS, default_price=shapes.text)
def update(asked: Asked) -> Thing:
    """Change a product."""
    books, product, given = asked.books, asked.books.get("product", asked.id), dict(asked.params)
    before = copied(product)
    given.pop("expand", None)
    if (
        given.get("default_price")
        and books.get("price", given["default_price"], "default_price")["product"] != asked.id
    ):
        raise invalid("The price belongs to another product.", "default_price")
    if "metadata" in given:
        given["metadata"] = merged(product["metadata"], given["metadata"])
    books.change(product, **given, updated=books.now())
    notices.changed(books, "product.updated", product, before)
    return product


@route("DELETE", "/products/{}")
def delete(asked: Asked) -> Thing:
    """Delete a product that has no prices."""
    product = asked.books.get("product", asked.id)
    if any(one["product"] == asked.id for one in asked.books.newest_first("price")):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.", "id")
    asked.books.remove(product)
    notices.told(asked.books, "product.deleted", product)
    return {"id": asked.id, "object": "product", "deleted": True}


@route("GET", "/products", lists=True, active=shapes.flag, ids=shapes.each(shapes.text), created=shapes.span,
       type=shapes.text, url=shapes.text)  # fmt: skip
def list_products(asked: Asked) -> Thing:
    """Products, active or not, or those of these ids."""
    active, ids = asked.params.get("active"), asked.get("ids")

    def keep(one: Thing) -> bool:
        return active in (None, one["active"]) and (not ids or one["id"] in ids)

    return of_kind(asked, "product", "/v1/products", keep)
