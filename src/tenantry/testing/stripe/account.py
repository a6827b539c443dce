"""The account itself, and who may speak for it."""

from __future__ import annotations

from tenantry.testing.stripe.books import Books, Thing
from tenantry.testing.stripe.routes import Asked, route

ACCOUNT = "acct_local"


@route("GET", "/account")
def retrieve(asked: Asked) -> Thing:
    """The account of this key."""
    return _account(asked.books)


def _account(books: Books) -> Thing:
    return {
        "id": ACCOUNT,
        "object": "account",
        "business_profile": {"name": "Local Stripe", "url": None, "support_email": None},
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "US",
        "created": 1_700_000_000,
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }
