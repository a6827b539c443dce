"""What Stripe remembers that it told, for a month."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tenantry.billing.stripe.account import account
from tenantry.billing.stripe.shapes import Listed
from tenantry.foundation.runtime import Runtime

A_PAGE = 100
MOST_TYPES = 20
"""Types of events that one question may name."""


async def events_page(runtime: Runtime, *, types: Sequence[str], since: int, after: str | None) -> Listed[msgspec.Raw]:
    """A page of the events of some types since a moment, the newest first, each as it was told."""
    return await account(runtime).ask(
        "get", "events", Listed[msgspec.Raw], types=list(types), created={"gte": since}, limit=A_PAGE,
        starting_after=after,
    )  # fmt: skip
