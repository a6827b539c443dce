"""Which shares of its limits an organization had reached at any instant: what the event of it keeps."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tenantry.foundation.events.folding import Fold, Rows, Said
from tenantry.usage.events import QuotaCrossed


class CrossingThen(msgspec.Struct, frozen=True):
    """A share of a limit that was reached in a period."""

    limit_key: str
    period_start: datetime
    allowed: int
    share: int
    used: int
    crossed_at: datetime


crossings = Fold("quota_crossings", CrossingThen, ids={}, left_out={"org_id": "whose history is folded"})


@crossings.on(QuotaCrossed)
def _crossed(rows: Rows[CrossingThen], said: Said[QuotaCrossed]) -> None:
    one = said.event
    key = one.limit, one.period_start, one.allowed, one.share
    rows[key] = CrossingThen(*key, one.used, said.at)


FOLDS = (crossings,)
