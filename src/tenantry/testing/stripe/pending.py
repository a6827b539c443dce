"""Invoice items: amounts that wait for the next invoice, most of them prorations."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import lines, notices, shapes
from tenantry.testing.stripe.books import Books, Thing, merged
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import invalid


def entered(books: Books, customer: str, amount: int, currency: str, **more: Any) -> Thing:
    """An amount that waits."""
    now = books.now(customer)
    price, quantity = more.get("price"), more.get("quantity", 1)
    pending = books.put(
        {
            "id": books.new_id("ii", 24),
            "object": "invoiceitem",
            "amount": amount,
            "currency": currency,
            "customer": customer,
            "customer_account": None,
            "date": now,
            "description": more.get("description"),
            "discountable": True,
            "discounts": [],
            "invoice": None,
            "livemode": books.livemode,
            "metadata": more.get("metadata") or {},
            "net_amount": amount,
            "parent": _parent(more.get("subscription"), more.get("item")),
            "period": {"start": more.get("start", now), "end": more.get("end", now)},
            "pricing": lines.pricing(price) if price else None,
            "proration": more.get("proration", False),
            "proration_details": None,
            "quantity": quantity,
            "quantity_decimal": str(quantity),
            "tax_rates": [],
            "test_clock": books.clock_of(customer) or None,
        }
    )
    notices.told(books, "invoiceitem.created", pending)
    return pending


def _parent(subscription: str | None, item: str | None) -> Thing | None:
    if subscription is None:
        return None
    details = {"subscription": subscription, "subscription_item": item}
    return {"type": "subscription_details", "subscription_details": details}


def waiting(books: Books, subscription: Thing) -> list[Thing]:
    """What waits for the next invoice of a subscription, oldest first."""
    return [
        one
        for one in reversed(list(books.newest_first("invoiceitem", subscription["customer"])))
        if one["invoice"] is None
        and one["currency"] == subscription["currency"]
        and _subscription_of(one) in (None, subscription["id"])
    ]


def _subscription_of(pending: Thing) -> str | None:
    details = (pending["parent"] or {}).get("subscription_details") or {}
    return details.get("subscription")


def billed(books: Books, waiting_ones: list[Thing], invoice: Thing) -> None:
    """They stand on this invoice now."""
    for one in waiting_ones:
        books.change(one, invoice=invoice["id"])


@route("POST", "/invoiceitems", needs=("customer",), customer=shapes.text, amount=shapes.whole, currency=shapes.text,
       description=shapes.text, invoice=shapes.text, subscription=shapes.text, quantity=shapes.quantity,
       pricing=shapes.hash_of(price=shapes.text), metadata=shapes.metadata)  # fmt: skip
def create(asked: Asked) -> Thing:
    """An amount for a customer's next invoice."""
    books = asked.books
    customer = books.get("customer", asked.params["customer"], "customer")
    price_id, quantity = asked.get("pricing", {}).get("price"), asked.get("quantity", 1)
    price = books.get("price", price_id, "pricing[price]") if price_id else None
    if price is None and asked.get("amount") is None:
        raise invalid("Either an amount or a price is needed.", "amount", "parameter_missing")
    amount = lines.cost(price, quantity) if price else asked.params["amount"]
    currency = price["currency"] if price else asked.get("currency", "usd")
    subscription = asked.get("subscription")
    if subscription:
        books.get("subscription", subscription, "subscription")
    return entered(
        books,
        customer["id"],
        amount,
        currency,
        price=price,
        quantity=quantity,
        subscription=subscription,
        description=asked.get("description"),
        metadata=merged({}, asked.get("metadata", {})),
    )


@route("GET", "/invoiceitems", lists=True, customer=shapes.text, pending=shapes.flag, invoice=shapes.text,
       created=shapes.span)  # fmt: skip
def list_items(asked: Asked) -> Thing:
    """Invoice items, waiting or billed."""
    waits, invoice = asked.params.get("pending"), asked.get("invoice")

    def keep(one: Thing) -> bool:
        return waits in (None, one["invoice"] is None) and invoice in (None, one["invoice"])

    return of_kind(asked, "invoiceitem", "/v1/invoiceitems", keep)


@route("GET", "/invoiceitems/{}")
def retrieve(asked: Asked) -> Thing:
    """One invoice item."""
    return asked.books.get("invoiceitem", asked.id)


@route("DELETE", "/invoiceitems/{}")
def delete(asked: Asked) -> Thing:
    """Strike out what is not billed yet."""
    pending = asked.books.get("invoiceitem", asked.id)
    if pending["invoice"]:
        raise invalid("Can't delete an invoice item that is attached to an invoice.")
    asked.books.remove(pending)
    notices.told(asked.books, "invoiceitem.deleted", pending)
    return {"id": asked.id, "object": "invoiceitem", "deleted": True}
