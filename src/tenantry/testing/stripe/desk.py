"""The desk of the account: what there is, what was told, and the handles for time, cards, trouble and deliveries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from typing import Any, get_args

from tenantry.testing.stripe import test_clocks
from tenantry.testing.stripe.books import Thing
from tenantry.testing.stripe.clicks import Account, Click
from tenantry.testing.stripe.deliveries import Mode
from tenantry.testing.stripe.faults import CUT
from tenantry.testing.stripe.html import button, link, money, page, table
from tenantry.testing.stripe.periods import DAY
from tenantry.testing.stripe.wire import invalid

SHOWN = 25
STEPS = {"1 hour": 3600, "1 day": DAY, "3 days": 3 * DAY, "1 week": 7 * DAY, "31 days": 31 * DAY}
FARTHEST = 366 * DAY
MODES = {
    "deliver": "each once, in order",
    "duplicate": "each twice",
    "delay": "held until released",
    "reorder": "held until released, then shuffled",
    "drop": "never sent, unless replayed",
}
TROUBLE: dict[str, tuple[int, bool]] = {
    "refuse it (429)": (429, False),
    "fail (500)": (500, False),
    "carry it out, then fail (500)": (500, True),
    "cut the connection": (CUT, False),
    "carry it out, then cut the connection": (CUT, True),
}


def opened(click: Click) -> str:
    """The whole desk on one page."""
    parts = (_clock, _customers, _checkouts, _subscriptions, _invoices, _notices, _trouble, _prices)
    return page("The local Stripe", "".join(part(click.stripe) for part in parts), click.wrong)


def _clock(stripe: Account) -> str:
    steps = "".join(button(f"+ {label}", deed="advance", seconds=str(step)) for label, step in STEPS.items())
    rows = [
        [
            escape(one["name"] or one["id"]),
            _instant(one["frozen_time"]),
            "".join(
                button(f"+ {label}", deed="advance", clock=one["id"], seconds=str(step))
                for label, step in STEPS.items()
            ),
        ]
        for one in _newest(stripe, test_clocks.KIND)
    ]
    clocks = "<h3>Test clocks</h3>" + table(["Clock", "Time", ""], rows) if rows else ""
    return f"<h2>Time</h2><p>{_instant(stripe.clock.now())} UTC</p>{steps}{clocks}"


def _customers(stripe: Account) -> str:
    rows = [
        [
            escape(one.get("email") or one.get("name") or ""),
            escape(one["id"]),
            escape(_bank(stripe, one)),
            _handles(one),
        ]
        for one in _newest(stripe, "customer")
    ]
    return "<h2>Customers</h2>" + table(["Who", "Id", "The bank", ""], rows)


def _bank(stripe: Account, customer: Thing) -> str:
    said = stripe.books.secrets.get(f"bank:{customer['id']}", "")
    if said in ("", "accept"):
        return "accepts every card" if said else "as the card says"
    return "declines the next payment" if stripe.books.secrets.get(f"bank:times:{customer['id']}") else "declines all"


def _handles(customer: Thing) -> str:
    return (
        button("Decline the next payment", deed="decline", customer=customer["id"], times="1")
        + button("Decline all", deed="decline", customer=customer["id"])
        + button("Fix the card", deed="accept", customer=customer["id"])
    )


def _checkouts(stripe: Account) -> str:
    rows = [
        [
            link(one["id"][:24] + "…", one["url"]),
            escape(one["customer"] or ""),
            money(one["amount_total"], one["currency"]),
        ]
        for one in _newest(stripe, "checkout.session")
        if one["status"] == "open"
    ]
    return "<h2>Open checkouts</h2>" + table(["Session", "Customer", "Total"], rows)


def _subscriptions(stripe: Account) -> str:
    rows = [
        [
            escape(one["id"]),
            escape(one["customer"]),
            escape(one["status"]) + (", ends with its period" if one["cancel_at_period_end"] else ""),
            ", ".join(f"{item['quantity']} × {escape(_name(item['price']))}" for item in one["items"]["data"]),
            _instant(one["items"]["data"][0]["current_period_end"]),
        ]
        for one in _newest(stripe, "subscription")
    ]
    return "<h2>Subscriptions</h2>" + table(["Id", "Customer", "State", "Items", "Period ends"], rows)


def _name(price: Thing) -> str:
    return str(price.get("lookup_key") or price["id"])


def _invoices(stripe: Account) -> str:
    rows = [
        [
            link(one["number"] or one["id"], one["hosted_invoice_url"] or ""),
            escape(one["customer"]),
            escape(one["status"]),
            money(one["total"], one["currency"]),
            _instant(one["next_payment_attempt"]) if one["next_payment_attempt"] else "",
        ]
        for one in _newest(stripe, "invoice")
    ]
    return "<h2>Invoices</h2>" + table(["Number", "Customer", "State", "Total", "Next attempt"], rows)


def _notices(stripe: Account) -> str:
    deliveries = stripe.deliveries
    modes = "".join(button(one, deed="mode", mode=one, main=one == deliveries.mode) for one in get_args(Mode))
    handles = ""
    if deliveries.held:
        handles += button(f"Release the {len(deliveries.held)} held", deed="release")
        handles += button("Release them shuffled", deed="release", shuffled="yes")
    if deliveries.dropped:
        handles += button(f"Replay the {len(deliveries.dropped)} dropped", deed="replay_dropped")
    heads = ["Type", "When", "About", "Answers", ""]
    rows = [_notice(stripe, one, _answers(stripe)) for one in _newest(stripe, "event")]
    return f"<h2>Notices</h2><p>{modes} {MODES[deliveries.mode]}.</p><p>{handles}</p>" + table(heads, rows)


def _answers(stripe: Account) -> dict[str, list[str]]:
    """What came back, and what is still to be sent, for each event."""
    deliveries, found = stripe.deliveries, dict[str, list[str]]()
    for sent in deliveries.sent[-8 * SHOWN :]:
        found.setdefault(sent.event["id"], []).append(str(sent.status or "nobody there"))
    for waiting in deliveries.waiting.values():
        found.setdefault(waiting.event["id"], []).append("to be sent again" if waiting.at else "to be sent")
    for word, events in (("held", deliveries.held), ("dropped", deliveries.dropped)):
        for event in events:
            found.setdefault(event["id"], []).append(word)
    return found


def _notice(stripe: Account, event: Thing, answers: dict[str, list[str]]) -> list[str]:
    about = event["data"]["object"].get("id") or ""
    return [
        escape(event["type"]),
        _instant(event["created"]),
        escape(about),
        ", ".join(answers.get(event["id"], [])),
        button("Replay", deed="replay", event=event["id"]),
    ]


def _trouble(stripe: Account) -> str:
    ordered = sum(one.times for one in stripe.faults.ordered)
    handles = "".join(button(label, deed="fail", how=label) for label in TROUBLE)
    clear = button(f"Take back the {ordered} ordered", deed="no_trouble") if ordered else ""
    return f"<h2>Trouble</h2><p>Have the next request to the API: {handles}{clear}</p>"


def _prices(stripe: Account) -> str:
    rows = [
        [
            escape(stripe.books.get("product", one["product"])["name"]),
            escape(_name(one)),
            money(one["unit_amount"], one["currency"]) + f" a {one['recurring']['interval']}" * bool(one["recurring"]),
            "sold" if one["active"] else "not sold any more",
        ]
        for one in _newest(stripe, "price")
    ]
    return "<h2>Prices</h2>" + table(["Product", "Price", "Amount", ""], rows)


def _newest(stripe: Account, kind: str) -> list[Thing]:
    found = [one for one in stripe.books.newest_first(kind) if not one.get("deleted")]
    return found[:SHOWN]


def _instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def pressed(click: Click) -> str:
    """Use one of the handles."""
    deed = DEEDS.get(click.said("deed"))
    if deed is None:
        raise invalid("The desk has no such handle.")
    deed(click)
    return f"{click.books.base_url}/"


def _advance(click: Click) -> None:
    stripe, given = click.stripe, click.said("seconds")
    if not given.isdecimal() or int(given) > FARTHEST:
        raise invalid("A clock moves ahead by seconds, a year at most.", "seconds")
    if click.said("clock"):
        clock = click.books.get(test_clocks.KIND, click.said("clock"))
        test_clocks.moved(click.books, clock, clock["frozen_time"] + int(given))
        return
    stripe.clock.ahead += int(given)
    click.books.touched()
    stripe.catch_up()


def _decline(click: Click) -> None:
    times = click.said("times")
    customer = click.books.get("customer", click.said("customer"))
    click.stripe.decline(customer["id"], times=int(times) if times.isdecimal() else 0)


def _accept(click: Click) -> None:
    click.stripe.decline(click.books.get("customer", click.said("customer"))["id"], "accept")


def _switch(click: Click) -> None:
    mode: Any = click.said("mode")
    if mode not in get_args(Mode):
        raise invalid("Notices cannot be treated in this way.", "mode")
    click.stripe.deliveries.switch(mode)


def _release(click: Click) -> None:
    click.stripe.deliveries.release(shuffled=True if click.said("shuffled") else None)


def _replay(click: Click) -> None:
    click.stripe.deliveries.replay(click.said("event"))


def _replay_dropped(click: Click) -> None:
    click.stripe.deliveries.replay(*(one["id"] for one in click.stripe.deliveries.dropped))


def _fail(click: Click) -> None:
    if click.said("how") not in TROUBLE:
        raise invalid("There is no such trouble.", "how")
    status, after = TROUBLE[click.said("how")]
    click.stripe.fail(status, after=after)


def _no_trouble(click: Click) -> None:
    click.stripe.faults.clear()


DEEDS: dict[str, Callable[[Click], None]] = {
    "accept": _accept,
    "advance": _advance,
    "decline": _decline,
    "fail": _fail,
    "mode": _switch,
    "no_trouble": _no_trouble,
    "release": _release,
    "replay": _replay,
    "replay_dropped": _replay_dropped,
}
