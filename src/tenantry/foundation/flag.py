"""Flags as domains declare them: a key, what it is for, and what holds until an operator says otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

FlagKind = Literal["boolean", "string", "number", "object"]
FLAG_KEY = r"^[a-z][a-z0-9_.-]{0,63}$"
KIND_OF: Mapping[type, FlagKind] = {
    bool: "boolean",
    str: "string",
    int: "number",
    float: "number",
    dict: "object",
    list: "object",
}
"""Which kind of flag has values of a type."""


class FlagDeclaration(msgspec.Struct, frozen=True):
    """A flag that a domain asks for: it exists without a row, and its kind is that of its default.

    `visible` flags are shown to the members of organizations, with the value that they have there.
    """

    key: str
    sentence: str
    default: Any = False
    visible: bool = False

    def __post_init__(self) -> None:
        if re.fullmatch(FLAG_KEY, self.key) is None:
            raise TypeError(f"{self.key!r} is no key of a flag: {FLAG_KEY}")
        if type(self.default) not in KIND_OF:
            raise TypeError(f"the default of {self.key} is true, false, a text, a number, a list or an object")

    @property
    def kind(self) -> FlagKind:
        """What its values are."""
        return KIND_OF[type(self.default)]
