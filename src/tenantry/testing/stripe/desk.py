"""The desk of the account: what there is, what was told, and the handles for time, cards and deliveries."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import get_args

from tenantry.testing.stripe.books import Thing
from tenantry.testing.stripe.clicks import Account, Click
from tenantry.testing.stripe.deliveries import Mode
from tenantry.testing.stripe.html import button, money, page, table
from tenantry.testing.stripe.periods import DAY
from tenantry.testing.stripe.wire import invalid

SHOWN = 25
STEPS = {"1 hour": 3600, "1 day": DAY, "3 days": 3 * DAY, "1 week": 7 * DAY, "31 days": 31 * DAY}


def opened(click: Click) -> str:
    """The whole desk on one page."""
    stripe = click.stripe
    body = _clock(stripe) + _customers(stripe) + _subscriptions(stripe) + _invoices(stripe) + _notices(stripe)
    return page("The local Stripe", body, click.wrong)


def _clock(stripe: Account) -> str:
    steps = "".join(button(f"+ {label}", deed="advance", seconds=str(step)) for label, step in STEPS.items())
    return f"<h2>Time</h2><p>{_instant(stripe.clock.now())}</p>{steps}"


def _customers(stripe: Account) -> str:
    rows = []
    for one in _newest(stripe, "customer"):
        bank = stripe.books.secrets.get(f"bank:{one['id']}", "")
        handle = button("Decline charges", deed="decline", customer=one["id"])
        if bank and bank != "accept":
            handle = button("Accept charges", deed="accept", customer=one["id"])
        rows.append([escape(one.get("email") or one["id"]), escape(one["id"]), handle])
    return "<h2>Customers</h2>" + table(["Who", "Id", "Card"], rows)


def _subscriptions(stripe: Account) -> str:
    rows = [
        [
            escape(one["id"]),
            escape(one["status"]),
            ", ".join(f"{item['quantity']} × {escape(item['price']['id'])}" for item in one["items"]["data"]),
            _instant(one["items"]["data"][0]["current_period_end"]),
        ]
        for one in _newest(stripe, "subscription")
    ]
    return "<h2>Subscriptions</h2>" + table(["Id", "State", "Items", "Period ends"], rows)


def _invoices(stripe: Account) -> str:
    rows = [
        [
            f'<a href="{escape(one["hosted_invoice_url"] or "")}">{escape(one["number"] or one["id"])}</a>',
            escape(one["status"]),
            money(one["total"], one["currency"]),
            _instant(one["next_payment_attempt"]) if one["next_payment_attempt"] else "",
        ]
        for one in _newest(stripe, "invoice")
    ]
    return "<h2>Invoices</h2>" + table(["Number", "State", "Total", "Next attempt"], rows)


def _notices(stripe: Account) -> str:
    modes = "".join(button(one, deed="mode", mode=one, main=one == stripe.deliveries.mode) for one in get_args(Mode))
    release = button(f"Release the {len(stripe.deliveries.held)} held", deed="release")
    answers: dict[str, list[int]] = {}
    for sent in stripe.deliveries.sent[-8 * SHOWN :]:
        answers.setdefault(sent.event["id"], []).append(sent.status)
    rows = [
        [
            escape(one["type"]),
            _instant(one["created"]),
            ", ".join(str(status) for status in answers.get(one["id"], [])),
            button("Replay", deed="replay", event=one["id"]),
        ]
        for one in _newest(stripe, "event")
    ]
    return f"<h2>Notices</h2><p>{modes}{release}</p>" + table(["Type", "When", "Answers", ""], rows)


def _newest(stripe: Account, kind: str) -> list[Thing]:
    found = [one for one in stripe.books.newest_first(kind) if not one.get("deleted")]
    return found[:SHOWN]


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def pressed(click: Click) -> str:
    """Use one of the handles."""
    stripe, deed = click.stripe, click.said("deed")
    if deed == "advance" and click.said("seconds").isdecimal():
        stripe.clock.ahead += min(int(click.said("seconds")), 366 * DAY)
        stripe.catch_up()
    elif deed in ("decline", "accept"):
        stripe.books.get("customer", click.said("customer"))
        stripe.decline(click.said("customer"), "generic_decline" if deed == "decline" else "accept")
    elif deed == "mode" and click.said("mode") in get_args(Mode):
        stripe.deliveries.mode = click.said("mode")  # type: ignore[assignment]
    elif deed == "release":
        stripe.deliveries.release()
    elif deed == "replay":
        stripe.deliveries.replay(click.said("event"))
    else:
        raise invalid("The desk has no such handle.")
    return f"{stripe.books.base_url}/"
