"""What can be refused about memos."""

from __future__ import annotations

from tenantry import Conflict


class MemoKnown(Conflict):
    """You have written this down already."""

    code, constraint = "memo_known", "memo_once"
