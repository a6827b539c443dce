"""Notices: what Stripe tells us, which is a hint of what to ask it for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from tenantry.foundation.jobs.job import NewJob

Subject = Literal["subscription", "invoice", "customer", "checkout", "payment"]
"""What a notice is about, and so what is asked for."""
State = Literal["waiting", "applied", "orphaned", "failed"]
APPLY = "billing.apply_notice"
ATTEMPTS = 25
"""How often applying a notice is tried before it is given up, which takes a day and more."""
TRIAL_ENDING = "customer.subscription.trial_will_end"

_OF: Mapping[Subject, tuple[str, ...]] = {
    "subscription": tuple(
        f"customer.subscription.{what}"
        for what in (
            "created", "updated", "deleted", "paused", "resumed", "pending_update_applied", "pending_update_expired",
            "trial_will_end",
        )
    ),
    "invoice": tuple(
        f"invoice.{what}"
        for what in (
            "created", "updated", "finalized", "finalization_failed", "paid", "payment_succeeded", "payment_failed",
            "payment_action_required", "overdue", "voided", "marked_uncollectible", "sent",
        )
    ),
    "customer": ("customer.updated", "customer.deleted"),
    "checkout": tuple(
        f"checkout.session.{what}"
        for what in ("completed", "expired", "async_payment_succeeded", "async_payment_failed")
    ),
    "payment": (
        "charge.refunded", "refund.created", "refund.updated", "refund.failed", "charge.dispute.created",
        "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    ),
}  # fmt: skip
SUBJECTS: Mapping[str, Subject] = {kind: subject for subject, kinds in _OF.items() for kind in kinds}
"""Each type of notice that is heard, with what it is about; an endpoint at Stripe is made for these."""

LONGEST_ID = 255
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00]*$")]


class _Object(msgspec.Struct, frozen=True):
    """What of a notice's object says where to ask."""

    id: str | None = None
    object: str = ""
    customer: Any = None
    payment_intent: Any = None


class _Data(msgspec.Struct, frozen=True):
    object: _Object


class Told(msgspec.Struct, frozen=True):
    """A notice as it came; what it says of its object is out of date by the time that it is read."""

    id: Id
    type: Id
    livemode: bool
    data: _Data
    api_version: Id | None = None
    account: Id | None = None
    object: str = "event"

    @property
    def subject(self) -> Subject | None:
        """What it is about; none for a type that nobody here hears, or about nothing that could be asked for."""
        subject = SUBJECTS.get(self.type)
        return subject if subject is not None and self.subject_id else None

    @property
    def subject_id(self) -> str:
        """The id at Stripe of what to ask for."""
        told = self.data.object
        found = told.payment_intent if SUBJECTS.get(self.type) == "payment" else told.id
        return _id(found) or ""

    @property
    def customer_id(self) -> str | None:
        """Whom it says that it is about, to find it again by; nothing is decided by that."""
        told = self.data.object
        named = told.id if told.object == "customer" else told.customer
        return _id(named)


def _id(told: object) -> str | None:
    """An id where something stands that can be one, and be kept."""
    return told if isinstance(told, str) and len(told) <= LONGEST_ID and "\0" not in told else None


class ToApply(msgspec.Struct, frozen=True):
    """Which notice to apply."""

    notice_id: str

    def asked(self) -> NewJob:
        """The job that does it, once however often it is asked for while it waits."""
        return NewJob.of(APPLY, self, key=self.notice_id[:200], max_attempts=ATTEMPTS, queue="billing")


class Notice(msgspec.Struct, frozen=True):
    """A notice as it is kept."""

    id: str
    number: int
    type: str
    api_version: str | None
    subject: Subject
    subject_id: str
    customer_id: str | None
    state: State
    attempts: int
    last_error: str | None
    received_at: datetime
    handled_at: datetime | None


class Begun(msgspec.Struct, frozen=True):
    """A notice that is being applied: `asked` is the place of this attempt's questions in the order of all of them.

    `known` is the place of the last answer about the same thing.
    """

    id: str
    number: int
    type: str
    subject: Subject
    subject_id: str
    state: State
    asked: int
    known: int | None

    @property
    def overtaken(self) -> bool:
        """Whether Stripe was asked about the same thing after this was told, for something else."""
        return self.known is not None and self.known > self.number and self.type != TRIAL_ENDING
