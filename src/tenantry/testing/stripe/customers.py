"""Customers: who pays; deleted ones stay as a tombstone."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import notices, payment_methods, shapes, tax_ids
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.ending import cancelled_at_once
from tenantry.testing.stripe.expansion import included
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.search import searched
from tenantry.testing.stripe.wire import invalid, listing

PLAIN = ("name", "email", "description", "phone", "address", "shipping", "tax_exempt", "preferred_locales", "balance")
FIELDS: shapes.Readers = {
    "name": shapes.text,
    "email": shapes.text,
    "description": shapes.text,
    "phone": shapes.text,
    "address": shapes.anything,
    "shipping": shapes.anything,
    "tax": shapes.anything,
    "tax_exempt": shapes.one_of("none", "exempt", "reverse"),
    "preferred_locales": shapes.each(shapes.text),
    "balance": shapes.whole,
    "metadata": shapes.metadata,
    "invoice_settings": shapes.hash_of(
        default_payment_method=shapes.text,
        custom_fields=shapes.anything,
        footer=shapes.text,
        rendering_options=shapes.anything,
    ),
}


@route("POST", "/customers", **FIELDS, payment_method=shapes.text, test_clock=shapes.text,
       tax_id_data=shapes.each(shapes.hash_of(("type", "value"), type=shapes.text, value=shapes.text)))  # fmt: skip
def create(asked: Asked) -> Thing:
    """A new customer, with a card if one is given."""
    customer = opened(asked.books, asked.params)
    for one in asked.get("tax_id_data", []):
        tax_ids.added(asked.books, customer, one["type"], one["value"])
    if asked.get("payment_method"):
        payment_methods.attached(asked.books, asked.params["payment_method"], customer)
    notices.told(asked.books, "customer.created", customer)
    return customer


def opened(books: Books, params: dict[str, Any]) -> Thing:
    """Enter a customer."""
    clock = params.get("test_clock")
    if clock:
        books.get("test_helpers.test_clock", clock, "test_clock")
    customer = _blank(books, clock)
    books.put(customer)
    _apply(books, customer, params)
    books.change(customer, created=books.now(customer["id"]))
    return customer


def _blank(books: Books, clock: str | None) -> Thing:
    return {
        "id": books.new_id("cus"),
        "object": "customer",
        **dict.fromkeys(("address", "currency", "default_source", "description", "email", "name", "phone"), None),
        "balance": 0,
        "created": 0,
        "delinquent": False,
        "discount": None,
        "invoice_prefix": books.new_id("x", 8)[2:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": books.livemode,
        "metadata": {},
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": clock,
    }


def _apply(books: Books, customer: Thing, params: dict[str, Any]) -> None:
    _check_email(params.get("email"))
    books.change(customer, **{name: params[name] for name in PLAIN if name in params})
    if "metadata" in params:
        books.change(customer, metadata=merged(customer["metadata"], params["metadata"]))
    settings = params.get("invoice_settings") or {}
    card = settings.get("default_payment_method")
    if card:
        payment_methods.of_customer(books, card, customer["id"], "invoice_settings[default_payment_method]")
    books.change(customer, invoice_settings={**customer["invoice_settings"], **settings})


def _check_email(email: str | None) -> None:
    if email and ("@" not in email or len(email) > 512):
        raise invalid(f"Invalid email address: {email}", "email", "email_invalid")


@route("GET", "/customers/search", needs=("query",), query=shapes.text, limit=shapes.whole, page=shapes.text)
def search(asked: Asked) -> Thing:
    """Customers that a query finds."""
    return searched(asked, "customer", "/v1/customers/search")


@route("GET", "/customers/{}")
def retrieve(asked: Asked) -> Thing:
    """A customer; of a deleted one only that it is."""
    customer = asked.books.get("customer", asked.id)
    return {key: customer[key] for key in ("id", "object", "deleted")} if customer.get("deleted") else customer


@route("POST", "/customers/{}", **FIELDS)
def update(asked: Asked) -> Thing:
    """Change what is known of a customer."""
    customer = living(asked.books, asked.id)
    before = copied(customer)
    _apply(asked.books, customer, asked.params)
    notices.changed(asked.books, "customer.updated", customer, before)
    return customer


@route("DELETE", "/customers/{}")
def delete(asked: Asked) -> Thing:
    """Delete a customer; its subscriptions end at once."""
    books, customer = asked.books, living(asked.books, asked.id)
    for one in list(books.newest_first("subscription", asked.id)):
        cancelled_at_once(books, one)
    notices.told(books, "customer.deleted", customer)
    tombstone = {"id": asked.id, "object": "customer", "deleted": True, "created": customer["created"]}
    books.put(tombstone)
    return {key: tombstone[key] for key in ("id", "object", "deleted")}


@route("GET", "/customers", lists=True, email=shapes.text, created=shapes.span, test_clock=shapes.text)
def list_customers(asked: Asked) -> Thing:
    """Customers, by e-mail if one is given."""
    email, clock = asked.get("email"), asked.get("test_clock")

    def keep(one: Thing) -> bool:
        wanted = email in (None, one.get("email")) and clock in (None, one.get("test_clock"))
        return wanted and "deleted" not in one

    return of_kind(asked, "customer", "/v1/customers", keep)


@route("DELETE", "/customers/{}/discount")
def delete_discount(asked: Asked) -> Thing:
    """Take the customer's discount away."""
    customer = living(asked.books, asked.id)
    if customer["discount"] is None:
        raise invalid("This customer has no active discount.")
    gone = customer["discount"]
    asked.books.change(customer, discount=None)
    return {**gone, "deleted": True}


def living(books: Books, id_: str, param: str | None = None) -> Thing:
    """A customer that was not deleted."""
    customer = books.get("customer", id_, param)
    if customer.get("deleted"):
        raise invalid(
            f"No such customer: '{id_}'; a similar object exists, but was deleted.", param, "resource_missing"
        )
    return customer


@included("customer", "subscriptions")
def _subscriptions(books: Books, customer: Thing) -> Thing:
    living_ones = [one for one in books.newest_first("subscription", customer["id"]) if one["status"] != "canceled"]
    return listing(f"/v1/customers/{customer['id']}/subscriptions", living_ones)


@included("customer", "tax_ids")
def _tax_ids(books: Books, customer: Thing) -> Thing:
    return listing(f"/v1/customers/{customer['id']}/tax_ids", books.newest_first("tax_id", customer["id"]))
