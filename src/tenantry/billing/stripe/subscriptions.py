"""Subscriptions: asked for, changed, ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from tenantry.billing.stripe.account import account, checked
from tenantry.billing.stripe.shapes import Listed, Preview, Subscription
from tenantry.foundation.runtime import Runtime

WHOLE = ["latest_invoice", "schedule.phases.items.price"]
LISTED = ["data.latest_invoice", "data.schedule"]
"""As much of it as Stripe expands in a list."""
A_PAGE = 100


async def fetch_subscription(runtime: Runtime, subscription_id: str) -> Subscription:
    """A subscription as it is now, with its items and its latest invoice."""
    return await account(runtime).ask("get", checked(f"subscriptions/{subscription_id}"), Subscription, expand=WHOLE)


async def change_subscription(
    runtime: Runtime, subscription_id: str, *, key: str, items: Sequence[Mapping[str, Any]], **how: Any
) -> Subscription:
    """Put something else into a subscription; `how` is what Stripe knows besides (`proration_behavior`, ...)."""
    return await account(runtime).ask(
        "post",
        checked(f"subscriptions/{subscription_id}"),
        Subscription,
        key=key,
        items=list(items),
        expand=WHOLE,
        **how,
    )


async def preview_change(
    runtime: Runtime,
    *,
    key: str,
    customer_id: str,
    subscription_id: str,
    items: Sequence[Mapping[str, Any]],
    **how: Any,
) -> Preview:
    """What a change would cost; nothing is changed, and the key says so to Stripe as for anything that is posted."""
    return await account(runtime).ask(
        "post", "invoices/create_preview", Preview, key=key, customer=customer_id, subscription=subscription_id,
        subscription_details={"items": list(items), **how},
    )  # fmt: skip


async def cancel_at_period_end(runtime: Runtime, subscription_id: str, *, key: str, **details: Any) -> Subscription:
    """Let a subscription end when what is paid for is over."""
    return await account(runtime).ask(
        "post", checked(f"subscriptions/{subscription_id}"), Subscription, key=key, cancel_at_period_end=True,
        expand=WHOLE, cancellation_details=details or None,
    )  # fmt: skip


async def resume_subscription(runtime: Runtime, subscription_id: str, *, key: str) -> Subscription:
    """Take a cancellation back that has not come yet."""
    return await account(runtime).ask(
        "post", checked(f"subscriptions/{subscription_id}"), Subscription, key=key, cancel_at_period_end=False,
        expand=WHOLE,
    )  # fmt: skip


async def take_end_back(runtime: Runtime, subscription_id: str, *, key: str) -> Subscription:
    """Take back that a subscription ends at a moment of its own, which is not the end of a period."""
    return await account(runtime).ask(
        "post", checked(f"subscriptions/{subscription_id}"), Subscription, key=key, cancel_at="", expand=WHOLE
    )


async def end_subscription(runtime: Runtime, subscription_id: str, *, prorate: bool, **details: Any) -> Subscription:
    """End a subscription at once; Stripe takes a second time as one that is not there."""
    return await account(runtime).ask(
        "delete", checked(f"subscriptions/{subscription_id}"), Subscription, prorate=prorate, invoice_now=prorate,
        expand=WHOLE, cancellation_details=details or None,
    )  # fmt: skip


async def subscriptions_of(runtime: Runtime, customer_id: str) -> list[Subscription]:
    """Every subscription of a customer, ended ones too."""
    return [one async for one in every_subscription(runtime, customer=customer_id)]


async def every_subscription(runtime: Runtime, **filters: Any) -> AsyncIterator[Subscription]:
    """Every subscription that the filters let through, the newest first, a page a question."""
    after: str | None = None
    while True:
        page: Listed[Subscription] = await account(runtime).ask(
            "get", "subscriptions", Listed[Subscription], status="all", limit=A_PAGE, starting_after=after,
            expand=LISTED, **filters,
        )  # fmt: skip
        for one in page.data:
            yield one
        if not page.has_more or not page.data:
            return
        after = page.data[-1].id


async def subscriptions_page(runtime: Runtime, *, after: str | None, status: str | None) -> Listed[msgspec.Raw]:
    """A page of subscriptions as they are told, the newest first; without a status those that are not cancelled."""
    return await account(runtime).ask(
        "get", "subscriptions", Listed[msgspec.Raw], status=status, limit=A_PAGE, starting_after=after,
        expand=LISTED,
    )  # fmt: skip
