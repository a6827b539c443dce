"""The end of a checkout: the customer has clicked, and becomes a subscriber."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import cards, customers, discounts, notices, payment_methods, setups
from tenantry.testing.stripe.books import Books, Thing, copied
from tenantry.testing.stripe.checkout import KIND
from tenantry.testing.stripe.subscribing import subscribed
from tenantry.testing.stripe.wire import invalid


def completed(
    books: Books, id_: str, card: str | None, *, email: str = "", code: str = "", authenticated: bool = False
) -> Thing:
    """The customer clicked: pay with this test card; without one only where none is required."""
    session = books.get(KIND, id_)
    if session["status"] != "open":
        raise invalid("This Checkout Session is no longer open.")
    customer = _customer(books, session, email)
    method = payment_methods.attached(books, f"pm_card_{card}", customer) if card else None
    if session["mode"] == "setup":
        intent = setups.succeeded(books, customer["id"], method)
        _done(books, session, customer, setup_intent=intent["id"], payment_status="no_payment_required")
        return session
    subscription = _subscription(books, session, customer, method, code, authenticated=authenticated)
    invoice = books.get("invoice", subscription["latest_invoice"])
    status = "paid" if invoice["amount_due"] or not subscription["trial_end"] else "no_payment_required"
    _done(
        books, session, customer, subscription=subscription["id"], invoice=invoice["id"], payment_status=status,
        amount_subtotal=invoice["subtotal"], amount_total=invoice["total"],
    )  # fmt: skip
    return session


def _customer(books: Books, session: Thing, email: str) -> Thing:
    if session["customer"]:
        return customers.living(books, session["customer"])
    customer = customers.opened(books, {"email": session["customer_email"] or email or "customer@example.com"})
    notices.told(books, "customer.created", customer)
    return customer


def _subscription(
    books: Books, session: Thing, customer: Thing, method: Thing | None, code: str, *, authenticated: bool
) -> Thing:
    kept = copied(books.secrets[f"checkout:{session['id']}"])
    given: dict[str, Any] = {**(kept["subscription_data"] or {}), "items": kept["line_items"]}
    given |= {"discounts": kept["discounts"] or [], "payment_behavior": "error_if_incomplete"}
    if code:
        given["discounts"] = [{"promotion_code": _typed(books, session, code)}]
    trial = given.get("trial_period_days") or given.get("trial_end")
    if method is None and not (trial and kept["payment_method_collection"] == "if_required"):
        raise invalid("A card is needed.")
    if method is not None:
        given["default_payment_method"] = method["id"]
        _checks(books, method, authenticated=authenticated)
    return subscribed(books, customer, given, authenticated=authenticated)


def _checks(books: Books, method: Thing, *, authenticated: bool) -> None:
    # a card that has to be authenticated is, even when a trial takes nothing from it
    said = payment_methods.says(books, method)
    if said == cards.AUTHENTICATE and not authenticated:
        raise payment_methods.declined("authentication_required")


def _typed(books: Books, session: Thing, code: str) -> str:
    found = discounts.by_code(books, code) if session["allow_promotion_codes"] else None
    if found is None:
        raise invalid("This code is invalid.", "promotion_code")
    return str(found["id"])


def _done(books: Books, session: Thing, customer: Thing, **fields: Any) -> None:
    details = {**dict.fromkeys(("address", "business_name", "individual_name", "phone"), None), "tax_exempt": "none"}
    details |= {"email": customer["email"], "name": customer["name"], "tax_ids": []}
    books.change(session, status="complete", url=None, customer=customer["id"], customer_details=details, **fields)
    notices.told(books, "checkout.session.completed", session)
