"""Intents: what Stripe is asked to do for an organization, kept with its key before it is asked.

Whoever comes back after a death asks for the same with the same key, so that Stripe does it once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.data.ids import IdKind

CHECKOUT_ID = IdKind("chk", "checkout_id")

IntentKind = Literal["customer", "checkout", "change", "later", "stay", "cancel", "resume"]
"""Deeds of Stripe's: a `change` is at once, a `later` one at the end of the period, and `stay` takes that back."""
IntentState = Literal["asked", "open", "done", "refused", "expired"]
SETTLED_WITHIN = 60
"""Seconds after which an intent without an answer is taken up by a job: whoever asked is gone."""
ATTEMPTS_A_KEY = 3
"""Attempts with one key. Stripe keeps an answer of 500 with the key as well: later ones get a key of their own."""


class Intent(msgspec.Struct, frozen=True):
    """One intent. `asked` is the place of this attempt's question in the order of all of them; `params` is JSON."""

    id: UUID
    org_id: UUID
    kind: IntentKind
    attempt: int
    params: str
    state: IntentState
    foreign_id: str | None
    url: str | None
    expires_at: datetime | None
    asked: int

    @property
    def key(self) -> str:
        """Stripe's idempotency key for this attempt."""
        turn = (self.attempt - 1) // ATTEMPTS_A_KEY
        return f"tenantry:{self.kind}:{self.id}" + (f":{turn}" if turn else "")

    @property
    def answers_may_be_old(self) -> bool:
        """Whether Stripe may answer what it answered to an earlier attempt, which is not what is true now."""
        return self.attempt > 1


class NewCustomer(msgspec.Struct, frozen=True):
    """Let an organization be a customer. Who is mailed and taxed is asked by Stripe's own pages."""

    name: str


class Offer(msgspec.Struct, frozen=True):
    """What an organization may buy: a plan's version at a price, and how much of it."""

    plan: str
    version: int
    interval: Literal["month", "year"]
    currency: str
    amount: int
    per_seat: bool
    quantity: int
    trial_days: int = 0

    @property
    def seats(self) -> int | None:
        """How many seats are bought; None where the plan says how many there are."""
        return self.quantity if self.per_seat else None


class NewCheckout(msgspec.Struct, frozen=True):
    """Open a page on which an organization subscribes to what is offered."""

    customer_id: str
    price_id: str
    offer: Offer


class Checkout(msgspec.Struct, frozen=True):
    """A page on which an organization subscribes, as it is shown to whoever opened it."""

    id: UUID
    state: IntentState
    offer: Offer
    url: str | None
    expires_at: datetime | None
