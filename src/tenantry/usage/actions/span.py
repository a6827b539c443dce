"""A stretch of the events of usage, in the order of their commits."""

from __future__ import annotations

from typing import Any

import msgspec

from tenantry.foundation.events.log import BEGINNING, Position


class Span(msgspec.Struct, frozen=True):
    """What lies behind `after`, up to `upto` and with it."""

    after: Position
    upto: Position

    @classmethod
    def folded(cls, cursor: Position) -> Span:
        """All that is in the sums."""
        return cls(BEGINNING, cursor)

    def given(self) -> dict[str, Any]:
        """As parameters of a statement."""
        after, upto = self.after, self.upto
        return {
            "epoch": after.epoch, "tx": after.tx, "id": after.id,
            "to_epoch": upto.epoch, "to_tx": upto.tx, "to_id": upto.id,
        }  # fmt: skip
