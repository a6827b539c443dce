"""The pages that people click: checkout, an invoice to pay, the portal; the desk of the account is beside them."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

from tenantry.testing.stripe import checkout, completing, desk, invoicing, payment_methods, portal
from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.clicks import Click
from tenantry.testing.stripe.html import POLICY, button, link, money, page, table
from tenantry.testing.stripe.wire import Refusal, invalid, missing

Shown = tuple[int, dict[str, str], str]
HTML = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": POLICY,
}
CARDS = {
    "visa": "Visa, pays",
    "mastercard": "Mastercard, pays",
    "authenticationRequired": "Visa, asks for authentication",
    "chargeCustomerFail": "Visa, is declined when charged",
}


def shown(click: Click) -> Shown:
    """The page, or where the click leads."""
    for pattern, opened, pressed in PAGES:
        match = re.fullmatch(pattern, click.path or "/")
        if match and click.method in ("GET", "HEAD", "POST"):
            click.id = match.group(1) if match.groups() else ""
            return _shown(click, opened, pressed)
    return 404, HTML, page("Not here", "<p>The local Stripe has no such page.</p>")


def _shown(click: Click, opened: Callable[[Click], str], pressed: Callable[[Click], str]) -> Shown:
    try:
        if click.method == "POST":
            with click.books.all_or_nothing():
                return 303, {"Location": pressed(click), **HTML}, ""
        return 200, HTML, opened(click)
    except Refusal as error:
        if click.method != "POST" or error.status == 404:
            return error.status, HTML, page("That did not work", f"<p>{escape(str(error))}</p>")
        click.wrong = str(error)
        return 402 if error.status == 402 else 400, HTML, opened(click)


# checkout


def _checkout(click: Click) -> str:
    session = click.books.get(checkout.KIND, click.id)
    if session["status"] != "open":
        return page("This session is over", f"<p>It is {escape(session['status'])}.</p>")
    if click.said("card") == "authenticationRequired" and click.wrong:
        return _authentication(click)
    kept, fields = click.books.secrets[f"checkout:{click.id}"], _fields(session)
    body = _offer(click.books, session)
    body += button("Pay", main=True, extra=fields, card="visa")
    body += button("Pay with a card that is declined", card="declined", extra=fields)
    body += button("Pay with a card that asks for authentication", card="authenticationRequired", extra=fields)
    if kept["payment_method_collection"] == "if_required" and not session["amount_total"]:
        body += button("Start without a card", card="", extra=fields)
    return page("Checkout", f"{body}<p>{link('Cancel', session['cancel_url'] or '')}</p>", click.wrong)


def _offer(books: Books, session: Thing) -> str:
    rows = [
        [escape(one["description"]), str(one["quantity"]), money(one["amount_total"], one["currency"])]
        for one in books.secrets.get(f"lines:{session['id']}", [])
    ]
    total = f"<p>To pay today: <strong>{money(session['amount_total'], session['currency'])}</strong></p>"
    return table(["What", "How many", "Price"], rows) + total if rows else "<p>Keep a card for later.</p>"


def _fields(session: Thing) -> str:
    fields = ""
    if not session["customer"] and not session["customer_email"]:
        fields += '<label>E-mail <input type="email" name="email" required value="customer@example.com"></label>'
    if session["allow_promotion_codes"]:
        fields += '<label>Promotion code <input name="code" autocomplete="off"></label>'
    return fields


def _authentication(click: Click) -> str:
    same: dict[str, Any] = {"email": click.said("email"), "code": click.said("code")}
    body = "<p>Your bank asks whether it is you.</p>"
    body += button("Complete authentication", main=True, card="authenticationRequired", authenticated="yes", **same)
    return page("Authentication", body + button("Fail authentication", card="declined", **same))


def _pay_checkout(click: Click) -> str:
    books, card = click.books, click.said("card")
    session = books.get(checkout.KIND, click.id)
    if card == "declined":
        raise payment_methods.declined(click.said("decline_code") or "generic_decline")
    completing.completed(
        books, click.id, card or None, email=click.said("email"), code=click.said("code"),
        authenticated=click.said("authenticated") == "yes",
    )  # fmt: skip
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", click.id)


# an invoice


def _invoice(click: Click) -> str:
    invoice = click.books.get("invoice", click.id)
    rows = [[escape(one["description"]), money(one["amount"], one["currency"])] for one in invoice["lines"]["data"]]
    body = table(["What", "Amount"], rows)
    body += f"<p>{escape(invoice['status'])}, due {money(invoice['amount_remaining'], invoice['currency'])}</p>"
    if invoice["status"] == "open":
        body += button("Pay with the card on file", main=True)
        body += button("Complete authentication", authenticated="yes")
        body += "".join(button(f"Pay: {label}", card=card) for card, label in CARDS.items())
    return page(f"Invoice {invoice['number'] or ''}", body, click.wrong)


def _pay_invoice(click: Click) -> str:
    books, invoice = click.books, click.books.get("invoice", click.id)
    card = None
    if click.said("card"):
        if click.said("card") not in CARDS:
            raise invalid("There is no such test card.")
        customer = books.get("customer", invoice["customer"])
        card = payment_methods.attached(books, f"pm_card_{click.said('card')}", customer)
    outcome = invoicing.collected(books, invoice, card, authenticated=click.said("authenticated") == "yes")
    if not outcome.paid:
        raise payment_methods.declined("authentication_required" if outcome.waits else outcome.decline, keep=True)
    return f"{books.base_url}/invoice/{click.id}"


def _receipt(click: Click) -> str:
    invoice = click.books.get("invoice", click.id)
    return page(f"Invoice {invoice['number'] or ''}", "<p>The local Stripe prints no PDF.</p>")


def _nothing(click: Click) -> str:
    raise missing("page", click.path)


# the portal


def _portal(click: Click) -> str:
    books, session = click.books, click.books.get(portal.KIND, click.id)
    living = [one for one in books.newest_first("subscription", session["customer"]) if one["ended_at"] is None]
    body = "<h2>Subscriptions</h2>" + table(["Plan", "State", ""], [_subscription_row(books, one) for one in living])
    body += "<h2>Card</h2>" + "".join(button(f"Use: {label}", deed="card", card=card) for card, label in CARDS.items())
    invoices = list(books.newest_first("invoice", session["customer"]))
    body += "<h2>Invoices</h2>" + table(["Number", "State", "Total", ""], [_invoice_row(one) for one in invoices])
    return page("Billing", body + f"<p>{link('Return', session['return_url'] or '')}</p>", click.wrong)


def _subscription_row(books: Books, one: Thing) -> list[str]:
    names = [books.get("product", item["price"]["product"])["name"] for item in one["items"]["data"]]
    ends = one["cancel_at_period_end"]
    deed = button("Resume", deed="resume", subscription=one["id"])
    if not ends:
        deed = button("Cancel at the end of the period", deed="cancel", subscription=one["id"])
    return [escape(", ".join(names)), f"{one['status']}{', ends with its period' if ends else ''}", deed]


def _invoice_row(one: Thing) -> list[str]:
    pay = button("Pay", deed="pay", invoice=one["id"]) if one["status"] == "open" else ""
    return [escape(one["number"] or "draft"), escape(one["status"]), money(one["total"], one["currency"]), pay]


def _use_portal(click: Click) -> str:
    books, session = click.books, click.books.get(portal.KIND, click.id)
    deed = click.said("deed")
    if deed == "cancel":
        portal.cancelled(books, session, click.said("subscription"))
    elif deed == "resume":
        portal.resumed(books, session, click.said("subscription"))
    elif deed == "card" and click.said("card") in CARDS:
        portal.carded(books, session, click.said("card"))
    elif deed == "pay" and not portal.paid(books, session, click.said("invoice")):
        raise payment_methods.declined("generic_decline", keep=True)
    return f"{books.base_url}/portal/{click.id}"


PAGES: list[tuple[str, Callable[[Click], str], Callable[[Click], str]]] = [
    ("/", desk.opened, desk.pressed),
    ("/checkout/([^/]+)", _checkout, _pay_checkout),
    ("/invoice/([^/]+)", _invoice, _pay_invoice),
    ("/invoice/([^/]+)/pdf", _receipt, _nothing),
    ("/portal/([^/]+)", _portal, _use_portal),
]
