"""Replays: which of what happened in a span of time is sent to an endpoint again."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

Which = Literal["failed", "missed", "all"]
"""What failed; what the endpoint wants and was never told; both, and what arrived."""


class Replay(msgspec.Struct, frozen=True):
    """What one replay is of: from `since` to before `until`."""

    org_id: UUID
    endpoint_id: UUID
    since: datetime
    until: datetime
    which: Which
