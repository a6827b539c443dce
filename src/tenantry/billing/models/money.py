"""Money as people read it: Stripe counts each currency in its own unit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

_OTHER_THAN_CENTS: Mapping[str, int] = {
    **dict.fromkeys(
        ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"), 0
    ),
    **dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 3),
}
_COUNTED_BUT_NOT_SHOWN = frozenset(("isk", "ugx"))
"""Currencies that have lost their cents, which Stripe goes on counting."""


def money(amount: int, currency: str) -> str:
    """An amount in the currency's smallest unit, as `1,234.50 EUR`."""
    unit = currency.lower()
    counted = _OTHER_THAN_CENTS.get(unit, 2)
    # a part of a krona that Stripe should not have asked for is shown rather than lost
    shown = 0 if unit in _COUNTED_BUT_NOT_SHOWN and amount % 100 == 0 else counted
    return f"{Decimal(amount).scaleb(-counted):,.{shown}f} {unit.upper()}"
