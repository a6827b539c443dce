"""Tax ids of customers; the two European formats are checked, others are taken as they come."""

from __future__ import annotations

import re

from tenantry.testing.stripe import notices, shapes
from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.lists import page
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import invalid

FORMATS = {
    "eu_vat": re.compile(r"[A-Z]{2}[A-Z0-9+*]{2,12}"),
    "gb_vat": re.compile(r"(GB|XI)(\d{9}|\d{12}|(GD|HA)\d{3})"),
}


@route("POST", "/customers/{}/tax_ids", needs=("type", "value"), type=shapes.text, value=shapes.text)
def create(asked: Asked) -> Thing:
    """Give a customer a tax id."""
    customer = asked.books.get("customer", asked.id)
    return added(asked.books, customer, asked.params["type"], asked.params["value"])


def added(books: Books, customer: Thing, kind: str, value: str) -> Thing:
    """Enter a tax id, if its format can be right."""
    if kind in FORMATS and not FORMATS[kind].fullmatch(value):
        raise invalid(f"Invalid value for {kind}.", "value", "tax_id_invalid")
    tax_id = books.put(
        {
            "id": books.new_id("txi"),
            "object": "tax_id",
            "country": value[:2] if kind in FORMATS else None,
            "created": books.now(customer["id"]),
            "customer": customer["id"],
            "livemode": books.livemode,
            "owner": {"type": "customer", "customer": customer["id"]},
            "type": kind,
            "value": value,
            "verification": {"status": "pending", "verified_address": None, "verified_name": None},
        }
    )
    notices.told(books, "customer.tax_id.created", tax_id)
    return tax_id


@route("GET", "/customers/{}/tax_ids", lists=True)
def list_tax_ids(asked: Asked) -> Thing:
    """The tax ids of a customer."""
    url = f"/v1/customers/{asked.id}/tax_ids"
    asked.books.get("customer", asked.id)
    return page(asked, url, asked.books.newest_first("tax_id", asked.id))


@route("GET", "/customers/{}/tax_ids/{}")
def retrieve(asked: Asked) -> Thing:
    """One tax id of a customer."""
    return asked.books.get("tax_id", asked.path[1])


@route("DELETE", "/customers/{}/tax_ids/{}")
def delete(asked: Asked) -> Thing:
    """Take a tax id away."""
    tax_id = asked.books.get("tax_id", asked.path[1])
    asked.books.remove(tax_id)
    notices.told(asked.books, "customer.tax_id.deleted", tax_id)
    return {"id": tax_id["id"], "object": "tax_id", "deleted": True}
