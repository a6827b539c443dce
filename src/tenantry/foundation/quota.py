"""Quotas: what a plan limits, of a thing that there is or of a meter within a period, declared so that it is listed.

How much of it an organization may have is the plan's to say, by the limit's key in the plan file. Not here: who counts,
and who refuses what is too much.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from tenantry.foundation.data.sql import Value
from tenantry.foundation.meter import Meter

Per = Literal["period", "day"]
"""How long what is used of a meter counts: a billing period, or a day in UTC."""


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of the plan file, and what it is a limit on.

    Of a thing that there is: `used` is the statement that counts it in the work's organization. Of a `meter`: what is
    used of it within a period or a day; what is not `hard` is counted and never refused.
    """

    limit: str
    title: str
    used: Value[int] | None = None
    meter: Meter | None = None
    per: Per = "period"
    hard: bool = True

    def __post_init__(self) -> None:
        if (self.used is None) is (self.meter is None):
            raise TypeError(f"the quota {self.limit} is on a thing, by `used`, or on a meter")
        if self.used is not None and (self.used.parameters or not self.hard):
            raise TypeError(f"the quota {self.limit} is on a thing: it is hard, and counting it takes no parameters")
