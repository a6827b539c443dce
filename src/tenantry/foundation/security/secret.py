"""A value that must never be printed: keys, passwords and tokens while they are held in memory."""

from __future__ import annotations

import hmac
from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T", str, bytes)

MASK = "[secret]"


class Secret(Generic[T]):
    """Text or bytes that no log, error or format string shows; `reveal()` is the only way to the value."""

    __slots__ = ("__value",)

    def __init__(self, value: T) -> None:
        self.__value: T = value

    def reveal(self) -> T:
        """The value itself, for the one call that needs it."""
        return self.__value

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self.__value), _bytes(other.reveal()))

    # Unhashable: a hash in a set or a dict's key compares in a time that depends on the value.
    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Secret[T]:
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> Secret[T]:
        return self

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a secret is not serialized")


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
