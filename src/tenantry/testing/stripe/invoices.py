"""Invoices as they are asked for: read, draw up, finalize, pay, void, write off."""

from __future__ import annotations

from tenantry.testing.stripe import customers, invoicing, lines, notices, payment_methods, pending, shapes
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.expansion import included
from tenantry.testing.stripe.lists import of_kind, page
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.search import searched
from tenantry.testing.stripe.standing import billed
from tenantry.testing.stripe.subscribing import refusal
from tenantry.testing.stripe.wire import invalid, listing


@route("POST", "/invoices", needs=("customer",), customer=shapes.text, subscription=shapes.text,
       auto_advance=shapes.flag, description=shapes.text, metadata=shapes.metadata, currency=shapes.text,
       collection_method=shapes.one_of("charge_automatically", "send_invoice"), days_until_due=shapes.whole,
       pending_invoice_items_behavior=shapes.one_of("include", "exclude"))  # fmt: skip
def create(asked: Asked) -> Thing:
    """A draft, of what waits for the customer's next invoice if that is to be included."""
    books = asked.books
    customer = customers.living(books, asked.params["customer"], "customer")
    waiting = _waiting(asked, customer)
    invoice = invoicing.drafted(
        books,
        customer,
        "manual",
        [lines.of_pending(books, one) for one in waiting],
        currency=asked.get("currency") or customer["currency"] or "usd",
        auto_advance=asked.get("auto_advance", False),
        collection_method=asked.get("collection_method"),
        discounts=[],
    )
    books.change(invoice, metadata=merged({}, asked.get("metadata", {})), description=asked.get("description"))
    pending.billed(books, waiting, invoice)
    return invoice


def _waiting(asked: Asked, customer: Thing) -> list[Thing]:
    if asked.get("pending_invoice_items_behavior") != "include":
        return []
    found = asked.books.newest_first("invoiceitem", customer["id"])
    return [one for one in reversed(list(found)) if one["invoice"] is None]


@route("GET", "/invoices/search", needs=("query",), query=shapes.text, limit=shapes.whole, page=shapes.text)
def search(asked: Asked) -> Thing:
    """Invoices that a query finds."""
    return searched(asked, "invoice", "/v1/invoices/search")


@route("GET", "/invoices/{}")
def retrieve(asked: Asked) -> Thing:
    """One invoice."""
    return asked.books.get("invoice", asked.id)


@route("GET", "/invoices", lists=True, customer=shapes.text, subscription=shapes.text, created=shapes.span,
       status=shapes.one_of("draft", "open", "paid", "uncollectible", "void"), collection_method=shapes.text,
       due_date=shapes.span)  # fmt: skip
def list_invoices(asked: Asked) -> Thing:
    """Invoices of a customer, a subscription or a status."""
    status, subscription = asked.get("status"), asked.get("subscription")

    def keep(one: Thing) -> bool:
        return status in (None, one["status"]) and subscription in (None, (billed(asked.books, one) or {}).get("id"))

    return of_kind(asked, "invoice", "/v1/invoices", keep)


@route("POST", "/invoices/{}", auto_advance=shapes.flag, description=shapes.text, metadata=shapes.metadata,
       default_payment_method=shapes.text, footer=shapes.text)  # fmt: skip
def update(asked: Asked) -> Thing:
    """Change what is noted on an invoice."""
    books, invoice = asked.books, asked.books.get("invoice", asked.id)
    before = copied(invoice)
    same = ("auto_advance", "description", "default_payment_method", "footer")
    books.change(invoice, **{name: asked.params[name] for name in same if name in asked.params})
    if "metadata" in asked.params:
        books.change(invoice, metadata=merged(invoice["metadata"], asked.params["metadata"]))
    notices.changed(books, "invoice.updated", invoice, before)
    return invoice


@route("DELETE", "/invoices/{}")
def delete(asked: Asked) -> Thing:
    """Throw a draft away that is for no subscription."""
    invoice = asked.books.get("invoice", asked.id)
    if invoice["status"] != "draft" or invoice["parent"]:
        raise invalid("You can only delete draft invoices that are for no subscription.")
    asked.books.remove(invoice)
    notices.told(asked.books, "invoice.deleted", invoice)
    return {"id": asked.id, "object": "invoice", "deleted": True}


@route("GET", "/invoices/{}/lines", lists=True)
def list_lines(asked: Asked) -> Thing:
    """The lines of an invoice."""
    return page(asked, f"/v1/invoices/{asked.id}/lines", asked.books.get("invoice", asked.id)["lines"]["data"])


@route("POST", "/invoices/{}/finalize", auto_advance=shapes.flag)
def finalize(asked: Asked) -> Thing:
    """Make a draft final."""
    invoice = _in(asked, "draft")
    if "auto_advance" in asked.params:
        asked.books.change(invoice, auto_advance=asked.params["auto_advance"])
    return invoicing.finalized(asked.books, invoice)


@route("POST", "/invoices/{}/pay", payment_method=shapes.text, off_session=shapes.flag, paid_out_of_band=shapes.flag,
       forgive=shapes.flag, source=shapes.text)  # fmt: skip
def pay(asked: Asked) -> Thing:
    """Collect an invoice now; a declined card is an error, and the attempt counts."""
    books, invoice = asked.books, _in(asked, "draft", "open", "uncollectible")
    if invoice["status"] == "draft":
        invoicing.finalized(books, invoice)
    if asked.get("paid_out_of_band"):
        invoicing.paid_elsewhere(books, invoice)
        return invoice
    card = _card(books, asked.get("payment_method"), invoice)
    outcome = invoicing.collected(books, invoice, card)
    if not outcome.paid:
        raise refusal(outcome, keep=True)
    return invoice


def _card(books: Books, id_: str | None, invoice: Thing) -> Thing | None:
    return payment_methods.of_customer(books, id_, invoice["customer"], "payment_method") if id_ else None


@route("POST", "/invoices/{}/void")
def void(asked: Asked) -> Thing:
    """Nobody owes it any more."""
    invoice = _in(asked, "open", "uncollectible")
    invoicing.struck(asked.books, invoice)
    return invoice


@route("POST", "/invoices/{}/mark_uncollectible")
def mark_uncollectible(asked: Asked) -> Thing:
    """It will not be paid."""
    invoice = _in(asked, "open")
    invoicing.written_off(asked.books, invoice)
    return invoice


@route("POST", "/invoices/{}/send")
def send(asked: Asked) -> Thing:
    """Send an invoice to its customer."""
    invoice = _in(asked, "draft", "open")
    if invoice["status"] == "draft":
        invoicing.finalized(asked.books, invoice)
    notices.told(asked.books, "invoice.sent", invoice)
    return invoice


def _in(asked: Asked, *statuses: str) -> Thing:
    invoice = asked.books.get("invoice", asked.id)
    if invoice["status"] not in statuses:
        allowed = " or ".join(statuses)
        message = f"This invoice is {invoice['status']}; only one that is {allowed} can do that."
        code = "invoice_already_paid" if invoice["status"] == "paid" else "invoice_not_editable"
        raise invalid(message, code=code)
    return invoice


@included("invoice", "payments")
def _payments(books: Books, invoice: Thing) -> Thing:
    payment = books.find("invoice_payment", books.secrets.get(f"payment:{invoice['id']}"))
    return listing("/v1/invoice_payments", [payment] if payment else [])


@included("invoice", "confirmation_secret")
def _confirmation_secret(books: Books, invoice: Thing) -> Thing | None:
    intent = invoicing.intent_of(books, invoice)
    return {"client_secret": intent["client_secret"], "type": "payment_intent"} if intent else None


@route("GET", "/invoice_payments", lists=True, invoice=shapes.text, status=shapes.text,
       payment=shapes.hash_of(type=shapes.text, payment_intent=shapes.text))  # fmt: skip
def list_payments(asked: Asked) -> Thing:
    """Payments of an invoice, or by a payment intent."""
    invoice, status = asked.get("invoice"), asked.get("status")
    intent = asked.get("payment", {}).get("payment_intent")

    def keep(one: Thing) -> bool:
        paid_by = intent in (None, one["payment"]["payment_intent"])
        return paid_by and invoice in (None, one["invoice"]) and status in (None, one["status"])

    return of_kind(asked, "invoice_payment", "/v1/invoice_payments", keep)


@route("GET", "/invoice_payments/{}")
def retrieve_payment(asked: Asked) -> Thing:
    """One payment of an invoice."""
    return asked.books.get("invoice_payment", asked.id)
