"""Setup intents: a card is kept for later, and nothing is taken from it."""

from __future__ import annotations

from tenantry.testing.stripe import cards, notices, payment_methods, shapes
from tenantry.testing.stripe.books import Books, Thing, merged
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import invalid

_UNSET = (
    "application", "cancellation_reason", "description", "last_setup_error", "latest_attempt", "mandate", "next_action",
    "on_behalf_of", "payment_method", "single_use_mandate",
)  # fmt: skip


def _new(books: Books, customer: str | None) -> Thing:
    id_ = books.new_id("seti", 24)
    return books.put(
        {
            "id": id_,
            "object": "setup_intent",
            **dict.fromkeys(_UNSET, None),
            "client_secret": f"{id_}_secret_{books.new_id('s', 20)[2:]}",
            "created": books.now(customer),
            "customer": customer,
            "livemode": books.livemode,
            "metadata": {},
            "payment_method_types": ["card"],
            "status": "requires_payment_method",
            "usage": "off_session",
        }
    )


def succeeded(books: Books, customer: str, method: Thing | None) -> Thing:
    """A card is kept for a customer."""
    if method is None:
        raise invalid("A card is needed.")
    intent = _new(books, customer)
    _confirm(books, intent, method, authenticated=True)
    return intent


def _confirm(books: Books, intent: Thing, method: Thing, *, authenticated: bool) -> None:
    if payment_methods.says(books, method) == cards.AUTHENTICATE and not authenticated:
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        books.change(intent, status="requires_action", payment_method=method["id"], next_action=action)
        notices.told(books, "setup_intent.requires_action", intent)
        return
    if intent["customer"]:
        method = payment_methods.attached(books, method["id"], books.get("customer", intent["customer"]))
    books.change(intent, status="succeeded", payment_method=method["id"], next_action=None)
    notices.told(books, "setup_intent.succeeded", intent)


@route("POST", "/setup_intents", customer=shapes.text, payment_method=shapes.text, confirm=shapes.flag,
       usage=shapes.one_of("off_session", "on_session"), metadata=shapes.metadata,
       payment_method_types=shapes.each(shapes.text), automatic_payment_methods=shapes.anything,
       return_url=shapes.text)  # fmt: skip
def create(asked: Asked) -> Thing:
    """An intent to keep a card."""
    books, customer = asked.books, asked.get("customer")
    if customer:
        books.get("customer", customer, "customer")
    intent = _new(books, customer)
    books.change(intent, metadata=merged({}, asked.get("metadata", {})), usage=asked.get("usage", "off_session"))
    notices.told(books, "setup_intent.created", intent)
    if asked.get("payment_method"):
        method = payment_methods.resolved(books, asked.params["payment_method"], "payment_method")
        books.change(intent, payment_method=method["id"], status="requires_confirmation")
        if asked.get("confirm"):
            _confirm(books, intent, method, authenticated=False)
    return intent


@route("POST", "/setup_intents/{}/confirm", payment_method=shapes.text, return_url=shapes.text)
def confirm(asked: Asked) -> Thing:
    """Keep the card now."""
    books, intent = asked.books, asked.books.get("setup_intent", asked.id)
    method_id = asked.get("payment_method") or intent["payment_method"]
    if not method_id or intent["status"] == "succeeded":
        raise invalid("You cannot confirm this SetupIntent: it has no payment method, or has succeeded already.")
    _confirm(books, intent, payment_methods.resolved(books, method_id, "payment_method"), authenticated=False)
    return intent


@route("GET", "/setup_intents", lists=True, customer=shapes.text, created=shapes.span)
def list_intents(asked: Asked) -> Thing:
    """Setup intents, newest first."""
    return of_kind(asked, "setup_intent", "/v1/setup_intents")


@route("GET", "/setup_intents/{}", client_secret=shapes.text)
def retrieve(asked: Asked) -> Thing:
    """One setup intent."""
    return asked.books.get("setup_intent", asked.id)
