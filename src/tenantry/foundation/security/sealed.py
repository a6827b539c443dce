"""Which columns of the database are sealed, each declared once by whoever owns its table."""

from __future__ import annotations

import msgspec

from tenantry.foundation.data.sql import Many, Run

AT_ONCE = 200
"""Sealed values that are read in one go, where they are small."""


class SealedValue(msgspec.Struct, frozen=True):
    """A sealed value and where it lives; org is None for rows that belong to no org."""

    row: str
    org: str | None
    blob: bytes


class SealedColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of sealed values: how to read a batch of them in the order of their rows, and how to replace one.

    `batch` takes `after` and `most`; `replace` takes `row`, `old` and `fresh`, and touches nothing when the value is
    no longer the old one.
    """

    table: str
    column: str
    batch: Many[SealedValue]
    replace: Run
    at_once: int = AT_ONCE

    @property
    def name(self) -> str:
        """The table and the column, as an operator reads them."""
        return f"{self.table}.{self.column}"
