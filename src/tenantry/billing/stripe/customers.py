"""Customers, and the pages of Stripe's that they are sent to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tenantry.billing.stripe.account import account, checked
from tenantry.billing.stripe.shapes import Customer, PortalSession, Session
from tenantry.foundation.runtime import Runtime


async def create_customer(
    runtime: Runtime, *, key: str, name: str, email: str | None, metadata: Mapping[str, str]
) -> Customer:
    """Make a customer."""
    return await account(runtime).ask("post", "customers", Customer, key=key, name=name, email=email, metadata=metadata)


async def fetch_customer(runtime: Runtime, customer_id: str) -> Customer:
    """A customer as it is; one that was deleted says so."""
    return await account(runtime).ask("get", checked(f"customers/{customer_id}"), Customer)


async def create_checkout(
    runtime: Runtime,
    *,
    key: str,
    customer_id: str,
    items: Sequence[Mapping[str, Any]],
    success_url: str,
    cancel_url: str,
    **more: Any,
) -> Session:
    """Open a page on which a customer subscribes; `more` is what Stripe knows besides (trial, promotion codes, ...)."""
    return await account(runtime).ask(
        "post", "checkout/sessions", Session, key=key, mode="subscription", customer=customer_id,
        line_items=list(items), success_url=success_url, cancel_url=cancel_url, **more,
    )  # fmt: skip


async def fetch_checkout(runtime: Runtime, session_id: str) -> Session:
    """A checkout as it stands."""
    return await account(runtime).ask("get", checked(f"checkout/sessions/{session_id}"), Session)


async def expire_checkout(runtime: Runtime, session_id: str, *, key: str) -> Session:
    """Close a checkout that nobody may finish any more; Refused where somebody has."""
    return await account(runtime).ask("post", checked(f"checkout/sessions/{session_id}/expire"), Session, key=key)


async def create_portal(
    runtime: Runtime, *, key: str, customer_id: str, return_url: str, configuration: str | None = None
) -> PortalSession:
    """Open a page on which a customer looks after cards, tax ids and invoices."""
    return await account(runtime).ask(
        "post", "billing_portal/sessions", PortalSession, key=key, customer=customer_id, return_url=return_url,
        configuration=configuration,
    )  # fmt: skip
