"""Payment methods: cards, made from test tokens, attached to customers and detached from them."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import cards, notices, shapes
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.lists import of_kind, page
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import Refusal, invalid, missing

CARD = shapes.hash_of(
    number=shapes.text, token=shapes.text, exp_month=shapes.whole, exp_year=shapes.whole, cvc=shapes.text
)


@route("POST", "/payment_methods", type=shapes.one_of("card"), card=CARD, billing_details=shapes.anything,
       metadata=shapes.metadata, allow_redisplay=shapes.text)  # fmt: skip
def create(asked: Asked) -> Thing:
    """A card from a test number or token."""
    given = asked.get("card", {})
    name = cards.named(given.get("token") or given.get("number") or "")
    if name is None:
        raise Refusal(402, "Your card number is incorrect.", kind="card_error", code="incorrect_number", param="number")
    method = made(asked.books, name)
    asked.books.change(method, metadata=merged({}, asked.get("metadata", {})))
    return method


def made(books: Books, name: str) -> Thing:
    """Enter a card that nobody owns yet."""
    card = cards.CARDS[name]
    method = books.put(
        {
            "id": books.new_id("pm", 24),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": dict.fromkeys(("address", "email", "name", "phone", "tax_id"), None),
            "card": _face(card),
            "created": books.now(),
            "customer": None,
            "livemode": books.livemode,
            "metadata": {},
            "type": "card",
        }
    )
    books.keep(f"card:{method['id']}", name)
    return method


def _face(card: cards.Card) -> Thing:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2040,
        "fingerprint": card.fingerprint,
        "funding": "credit",
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def resolved(books: Books, id_: str, param: str | None = None) -> Thing:
    """The card by its id; a test token makes a new one."""
    name = cards.named(id_)
    return made(books, name) if name and id_.startswith("pm_card_") else books.get("payment_method", id_, param)


def says(books: Books, method: Thing) -> str:
    """What the bank says to a charge now: nothing, `authenticate`, or a decline code."""
    told = books.secrets.get(f"bank:{method['id']}") or books.secrets.get(f"bank:{method['customer']}")
    card = cards.CARDS[books.secrets[f"card:{method['id']}"]]
    return "" if told == "accept" else str(told or card.on_charge)


def heard(books: Books, method: Thing) -> None:
    """The bank has said it to a charge: what it was to say so many times, it says one time less."""
    for id_ in (method["id"], method["customer"]):
        if left := books.secrets.get(f"bank:times:{id_}"):
            # past `keep`: what the bank said is not unsaid with a request that is undone because of it
            books.secrets[f"bank:times:{id_}"] = left - 1
            books.secrets[f"bank:{id_}"] = books.secrets[f"bank:{id_}"] if left > 1 else ""
            books.touched()
        if left or books.secrets.get(f"bank:{id_}"):
            return


@route("POST", "/payment_methods/{}/attach", needs=("customer",), customer=shapes.text)
def attach(asked: Asked) -> Thing:
    """Give a card to a customer; a bad one is declined."""
    customer = asked.books.get("customer", asked.params["customer"], "customer")
    return attached(asked.books, asked.id, customer)


def attached(books: Books, id_: str, customer: Thing) -> Thing:
    """The card, now the customer's."""
    method = resolved(books, id_)
    card = cards.CARDS[books.secrets[f"card:{method['id']}"]]
    if card.on_attach:
        raise declined(card.on_attach)
    if method["customer"] not in (None, customer["id"]):
        raise invalid("The payment method you provided has already been attached to a customer.")
    if method["customer"] is None:
        # entered anew, so that it is found among the customer's
        books.change(method, customer=customer["id"])
        books.put(method)
        notices.told(books, "payment_method.attached", method)
    return method


def declined(decline: str, *, keep: bool = False, **more: Any) -> Refusal:
    """The bank said no."""
    return Refusal(
        402,
        cards.message(decline),
        kind="card_error",
        code=cards.error_code(decline),
        decline_code=decline,
        keep=keep,
        **more,
    )


def of_customer(books: Books, id_: str, customer: str, param: str) -> Thing:
    """A card that this customer holds."""
    method = books.get("payment_method", id_, param)
    if method["customer"] != customer:
        raise invalid(f"The customer does not have a payment method with the ID {id_}.", param, "resource_missing")
    return method


@route("POST", "/payment_methods/{}/detach")
def detach(asked: Asked) -> Thing:
    """Take a card from its customer; it pays nothing any more."""
    books, method = asked.books, asked.books.get("payment_method", asked.id)
    if method["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    before, customer = copied(method), books.get("customer", method["customer"])
    books.change(method, customer=None)
    settings = customer.get("invoice_settings") or {}
    if settings.get("default_payment_method") == asked.id:
        books.change(customer, invoice_settings={**settings, "default_payment_method": None})
    for one in books.newest_first("subscription", customer["id"]):
        if one["default_payment_method"] == asked.id:
            books.change(one, default_payment_method=None)
    notices.told(books, "payment_method.detached", method, before)
    return method


@route("GET", "/payment_methods", lists=True, customer=shapes.text, type=shapes.text)
def list_methods(asked: Asked) -> Thing:
    """Cards of a customer."""
    holder = asked.get("customer")
    return of_kind(asked, "payment_method", "/v1/payment_methods", lambda one: holder in (None, one["customer"]))


@route("GET", "/customers/{}/payment_methods", lists=True, type=shapes.text)
def of_one_customer(asked: Asked) -> Thing:
    """Cards of this customer."""
    held = (one for one in asked.books.newest_first("payment_method", asked.id) if one["customer"] == asked.id)
    return page(asked, f"/v1/customers/{asked.id}/payment_methods", held)


@route("GET", "/payment_methods/{}")
def retrieve(asked: Asked) -> Thing:
    """One card."""
    return resolved(asked.books, asked.id)


@route("GET", "/customers/{}/payment_methods/{}")
def retrieve_of_customer(asked: Asked) -> Thing:
    """One card of this customer."""
    method = asked.books.get("payment_method", asked.path[1])
    if method["customer"] != asked.id:
        raise missing("payment_method", asked.path[1])
    return method


@route("POST", "/payment_methods/{}", metadata=shapes.metadata, billing_details=shapes.anything,
       allow_redisplay=shapes.text, card=CARD)  # fmt: skip
def update(asked: Asked) -> Thing:
    """Change what is noted on a card."""
    method = asked.books.get("payment_method", asked.id)
    before = copied(method)
    if "metadata" in asked.params:
        asked.books.change(method, metadata=merged(method["metadata"], asked.params["metadata"]))
    notices.changed(asked.books, "payment_method.updated", method, before)
    return method
