"""The billing portal: a session for one customer, and what its buttons do."""

from __future__ import annotations

from typing import Any

from tenantry.testing.stripe import changing, customers, invoicing, notices, payment_methods, shapes
from tenantry.testing.stripe.books import Books, Thing, copied, merged
from tenantry.testing.stripe.lists import of_kind
from tenantry.testing.stripe.routes import Asked, route
from tenantry.testing.stripe.wire import invalid

KIND, SETUP = "billing_portal.session", "billing_portal.configuration"
CONFIGURATION: shapes.Readers = {
    "business_profile": shapes.anything,
    "default_return_url": shapes.text,
    "features": shapes.anything,
    "login_page": shapes.anything,
    "metadata": shapes.metadata,
    "name": shapes.text,
}


@route("POST", "/billing_portal/sessions", needs=("customer",), customer=shapes.text, return_url=shapes.text,
       configuration=shapes.text, locale=shapes.text, flow_data=shapes.anything)  # fmt: skip
def create(asked: Asked) -> Thing:
    """A link to the portal for one customer."""
    books = asked.books
    customer = customers.living(books, asked.params["customer"], "customer")
    given = asked.get("configuration")
    setup = books.get(SETUP, given, "configuration") if given else _default(books)
    id_ = books.new_id("bps", 24)
    return books.put(
        {
            "id": id_,
            "object": KIND,
            "configuration": setup["id"],
            "created": books.now(customer["id"]),
            "customer": customer["id"],
            "customer_account": None,
            "flow": asked.get("flow_data"),
            "livemode": books.livemode,
            "locale": asked.get("locale"),
            "on_behalf_of": None,
            "return_url": asked.get("return_url") or setup["default_return_url"],
            "url": f"{books.base_url}/portal/{id_}",
        }
    )


def _default(books: Books) -> Thing:
    return next((one for one in books.kinds[SETUP].values() if one["is_default"]), None) or _setup(
        books, {}, is_default=True
    )


def _setup(books: Books, given: dict[str, Any], *, is_default: bool) -> Thing:
    return books.put({
        "id": books.new_id("bpc", 24),
        "object": SETUP,
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None,
                             **(given.get("business_profile") or {})},
        "created": books.now(),
        "default_return_url": given.get("default_return_url"),
        "features": _features(),
        "is_default": is_default,
        "livemode": books.livemode,
        "login_page": {"enabled": False, "url": None},
        "metadata": merged({}, given.get("metadata") or {}),
        "name": given.get("name"),
        "updated": books.now(),
    })  # fmt: skip


def _features() -> dict[str, Any]:
    reason = {"enabled": False, "options": ["too_expensive", "missing_features", "unused", "other"]}
    return {
        "customer_update": {"allowed_updates": ["email", "address", "tax_id"], "enabled": True},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True, "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": reason,
            "enabled": True,
            "mode": "at_period_end",
            "proration_behavior": "none",
        },
        "subscription_pause": {
            "duration": {"interval_options": [], "type": "indefinite"},
            "enabled": False,
        },
        "subscription_update": {
            "billing_cycle_anchor": None,
            "default_allowed_updates": [],
            "enabled": False,
            "products": None,
            "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "end_trial",
        },
    }


@route("POST", "/billing_portal/configurations", **CONFIGURATION)
def create_configuration(asked: Asked) -> Thing:
    """What the portal offers; the buttons of the local one are always the same."""
    return _setup(asked.books, asked.params, is_default=not asked.books.kinds[SETUP])


@route("POST", "/billing_portal/configurations/{}", **CONFIGURATION, active=shapes.flag)
def update_configuration(asked: Asked) -> Thing:
    """Change what the portal says."""
    setup, params = asked.books.get(SETUP, asked.id), dict(asked.params)
    params.pop("features", None)
    if "metadata" in params:
        params["metadata"] = merged(setup["metadata"], params["metadata"])
    asked.books.change(setup, **params, updated=asked.books.now())
    return setup


@route("GET", "/billing_portal/configurations", lists=True, active=shapes.flag, is_default=shapes.flag)
def list_configurations(asked: Asked) -> Thing:
    """Configurations, newest first."""
    return of_kind(asked, SETUP, "/v1/billing_portal/configurations")


@route("GET", "/billing_portal/configurations/{}")
def retrieve_configuration(asked: Asked) -> Thing:
    """One configuration."""
    return asked.books.get(SETUP, asked.id)


# what the buttons do


def cancelled(books: Books, session: Thing, subscription: str) -> None:
    """End a subscription with its period."""
    changing.altered(books, _own(books, session, "subscription", subscription), {"cancel_at_period_end": True})


def resumed(books: Books, session: Thing, subscription: str) -> None:
    """Take a planned end back."""
    changing.altered(books, _own(books, session, "subscription", subscription), {"cancel_at_period_end": False})


def carded(books: Books, session: Thing, card: str) -> None:
    """Pay with another card from now on."""
    customer = books.get("customer", session["customer"])
    method = payment_methods.attached(books, f"pm_card_{card}", customer)
    before = copied(customer)
    settings = {**customer["invoice_settings"], "default_payment_method": method["id"]}
    books.change(customer, invoice_settings=settings)
    notices.changed(books, "customer.updated", customer, before)
    for one in books.newest_first("subscription", customer["id"]):
        if one["default_payment_method"] and one["status"] not in ("canceled", "incomplete_expired"):
            changing.altered(books, one, {"default_payment_method": method["id"]})


def paid(books: Books, session: Thing, invoice_id: str) -> bool:
    """Pay an open invoice with the card on file; whether the bank agreed."""
    invoice = _own(books, session, "invoice", invoice_id)
    if invoice["status"] != "open":
        raise invalid("This invoice is not open.")
    return invoicing.collected(books, invoice).paid


def _own(books: Books, session: Thing, kind: str, id_: str) -> Thing:
    thing = books.get(kind, id_)
    if thing["customer"] != session["customer"]:
        raise invalid("That belongs to another customer.")
    return thing
