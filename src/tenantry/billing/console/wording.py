"""What pages say of what is paid, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from tenantry.billing.models import Invoice, Overview, Reason, ending
from tenantry.billing.models.money import money
from tenantry.foundation.pages import Values
from tenantry.plans.models import Price

__all__ = ["address", "bill", "cost", "later", "moment", "money", "seats", "standing", "unpaid"]

SHUT = "Until it is paid, members can read everything and change nothing."
TONES: Mapping[str, str] = {"to be paid": "wait", "paid": "good", "not paid": "grave", "disputed": "grave"}
STATUSES: Mapping[str, str] = {"open": "to be paid", "paid": "paid", "void": "void", "uncollectible": "not paid"}


def seats(bought: int | None, taken: int) -> str:
    """How many seats there are, and how many of them somebody has or is invited to."""
    of = "" if bought is None else f" of {bought} bought"
    return f"{taken}{of} {'seat is' if taken == 1 and bought is None else 'seats are'} taken, by members and invites."


def standing(sheet: Overview) -> str:
    """How it stands with what an organization pays."""
    return _SAYS[sheet.access.reason](sheet)


def _nothing(sheet: Overview) -> str:
    return "There is no subscription."


def _begun(sheet: Overview) -> str:
    return "A subscription was begun, and its first payment is missing."


def _trial(sheet: Overview) -> str:
    held = sheet.subscription
    also = ", and the subscription with it" if held is not None and ending(held) is not None else ""
    return f"The trial ends on {moment(sheet.access.until)}{also}."


def _paid(sheet: Overview) -> str:
    renewed = None if sheet.subscription is None else sheet.subscription.period_end
    return "It is paid." if renewed is None else f"It is paid, and is renewed on {moment(renewed)}."


def _cancelling(sheet: Overview) -> str:
    return f"The subscription ends on {moment(sheet.access.until)}."


def _not_collected(sheet: Overview) -> str:
    until = sheet.access.until
    return "Nothing is collected for now." if until is None else f"Nothing is collected until {moment(until)}."


def _grace(sheet: Overview) -> str:
    return f"A payment failed. The plan stays until {moment(sheet.access.until)}; please pay before."


def _restricted(sheet: Overview) -> str:
    since = "" if sheet.restricted_from is None else f" since {moment(sheet.restricted_from)}"
    return f"A payment is missing, and the organization is restricted{since}. {SHUT}"


_SAYS: Mapping[Reason, Callable[[Overview], str]] = {
    "no_subscription": _nothing,
    "canceled": _nothing,
    "incomplete_expired": _nothing,
    "incomplete": _begun,
    "trial": _trial,
    "paid": _paid,
    "cancelling": _cancelling,
    "collection_paused": _not_collected,
    "grace": _grace,
    "trial_over": _restricted,
    "past_due": _restricted,
    "unpaid": _restricted,
    "paused": _restricted,
    "unknown_status": _restricted,
}


def bill(invoice: Invoice) -> Values:
    """An invoice as it stands in a list."""
    state = STATUSES.get(invoice.status, invoice.status)
    if invoice.disputed:
        state = "disputed"
    elif invoice.refunded:
        state = f"{money(invoice.refunded, invoice.currency)} paid back"
    return {
        "day": f"{invoice.created_at.astimezone(UTC):%Y-%m-%d}",
        "number": invoice.number or "without a number",
        "total": money(invoice.total, invoice.currency),
        "state": state,
        "tone": TONES.get(state, ""),
        "url": address(invoice.hosted_url),
        "pdf": address(invoice.pdf_url),
    }


def unpaid(invoice: Invoice) -> Values:
    """A bill that was tried in vain, and where it is paid."""
    again = "It is not tried again by itself."
    if invoice.next_attempt_at is not None:
        again = f"It is tried again on {moment(invoice.next_attempt_at)}."
    return {
        "amount": money(invoice.amount_remaining, invoice.currency),
        "again": again,
        "url": address(invoice.hosted_url),
    }


def later(sheet: Overview, name: str) -> str:
    """What a subscription will be to, and when, if something else."""
    held = sheet.subscription
    if held is None or not held.live or held.later_at is None:
        return ""
    seats = f" with {held.later_quantity} seats" if (held.later_quantity or 1) > 1 else ""
    return f"On {moment(held.later_at)} it becomes {name}{seats}."


def cost(price: Price) -> str:
    """What a plan costs."""
    each = " for each seat" if price.per_seat else ""
    return f"{money(price.amount, price.currency)} a {price.interval}{each}"


def address(url: str | None) -> str:
    """A web address as a link; nothing for what is none."""
    return url if url is not None and url.startswith(("https://", "http://")) else ""


def moment(at: datetime | None) -> str:
    """A moment as people read it."""
    return "a day that is not known" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
