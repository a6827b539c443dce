"""What a request may say: readers that turn a form's strings into typed values, or refuse with the parameter's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from tenantry.testing.stripe.wire import unreadable

Reader = Callable[[str, Any], Any]
Readers = dict[str, Any]  # of Reader; Any, because a type checker would match them with every named argument
MOST_KEYS, LONGEST_VALUE = 50, 500


def text(param: str, raw: Any) -> str | None:
    """A string; the empty one unsets."""
    if not isinstance(raw, str):
        raise unreadable(f"Invalid string: {raw}", param, "parameter_invalid_string")
    return raw or None


def whole(param: str, raw: Any) -> int | None:
    """An integer of 64 bits."""
    try:
        value = int(raw) if raw != "" else None
    except (TypeError, ValueError) as error:
        raise unreadable(f"Invalid integer: {raw}", param, "parameter_invalid_integer") from error
    if value is not None and abs(value) >= 2**63:
        raise unreadable(f"Invalid integer: {raw}", param, "parameter_invalid_integer")
    return value


def amount(param: str, raw: Any) -> int | None:
    """An amount in the smallest unit of its currency: eight digits, not negative."""
    value = whole(param, raw)
    if value is not None and not 0 <= value <= 99_999_999:
        raise unreadable(f"Invalid amount: {value}", param, "parameter_invalid_integer")
    return value


def quantity(param: str, raw: Any) -> int | None:
    """How many of something: not negative, and less than a million."""
    value = whole(param, raw)
    if value is not None and not 0 <= value <= 999_999:
        raise unreadable(f"Invalid quantity: {value}", param, "parameter_invalid_integer")
    return value


def number(param: str, raw: Any) -> float | None:
    """A decimal number."""
    try:
        return float(Decimal(raw)) if raw != "" else None
    except (InvalidOperation, TypeError) as error:
        raise unreadable(f"Invalid decimal: {raw}", param, "parameter_invalid_decimal") from error


def flag(param: str, raw: Any) -> bool | None:
    """`true` or `false`."""
    if raw not in ("true", "false", ""):
        raise unreadable(f"Invalid boolean: {raw}", param, "parameter_invalid_boolean")
    return None if raw == "" else raw == "true"


def moment(param: str, raw: Any) -> int | str | None:
    """Seconds since 1970, or `now`."""
    return raw if raw in ("now", "min_period_end", "max_period_end", "unchanged") else whole(param, raw)


def metadata(param: str, raw: Any) -> dict[str, str] | None:
    """Keys and values to merge; an empty value removes its key, and an empty string them all."""
    if raw == "":
        return None
    pairs = dict(enumerate(raw)) if isinstance(raw, list) else raw
    if not isinstance(pairs, dict) or len(pairs) > MOST_KEYS:
        raise unreadable("Metadata is a hash of at most 50 keys", param, "parameter_invalid")
    for value in pairs.values():
        if not isinstance(value, str) or len(value) > LONGEST_VALUE:
            raise unreadable("Metadata values can have up to 500 characters", param, "parameter_invalid")
    return {str(key): value for key, value in pairs.items()}


def one_of(*allowed: str) -> Reader:
    """One of these words."""

    def read(param: str, raw: Any) -> str | None:
        if raw != "" and raw not in allowed:
            raise unreadable(f"Invalid {param}: must be one of {', '.join(allowed)}", param, "parameter_invalid")
        return raw or None

    return read


def each(reader: Reader) -> Reader:
    """A list of them; an empty string clears it."""

    def read(param: str, raw: Any) -> list[Any]:
        if raw == "":
            return []
        if not isinstance(raw, list):
            raise unreadable("Invalid array", param, "parameter_invalid_array")
        return [reader(f"{param}[{place}]", one) for place, one in enumerate(raw)]

    return read


def span(param: str, raw: Any) -> Any:
    """An instant, or a range of them as `gt`, `gte`, `lt`, `lte`."""
    return hash_of(gt=whole, gte=whole, lt=whole, lte=whole)(param, raw) if isinstance(raw, dict) else whole(param, raw)


def anything(param: str, raw: Any) -> Any:
    """Whatever is said, taken as it is: the local Stripe keeps it and draws nothing from it."""
    return raw


def hash_of(needs: tuple[str, ...] = (), **readers: Reader) -> Reader:
    """A hash of these fields and no others; an empty string unsets it."""

    def read(param: str, raw: Any) -> dict[str, Any] | None:
        if raw == "":
            return None
        if not isinstance(raw, dict):
            raise unreadable(f"Invalid {param}: must be a hash", param, "parameter_invalid")
        return read_fields(raw, readers, needs, param)

    return read


def read_fields(
    raw: Mapping[str, Any], readers: Mapping[str, Reader], needs: tuple[str, ...], inside: str = ""
) -> dict[str, Any]:
    """Every field by its reader; an unknown one and an absent needed one are refused."""
    for name in raw:
        if name not in readers:
            param = _within(inside, name)
            raise unreadable(f"Received unknown parameter: {param}", param, "parameter_unknown")
    for name in needs:
        if raw.get(name) in (None, ""):
            param = _within(inside, name)
            raise unreadable(f"Missing required param: {param}.", param, "parameter_missing")
    return {name: readers[name](_within(inside, name), value) for name, value in raw.items()}


def _within(inside: str, name: str) -> str:
    return f"{inside}[{name}]" if inside else name
