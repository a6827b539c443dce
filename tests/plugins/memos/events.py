"""What can have happened to a memo."""

from __future__ import annotations

from uuid import UUID

from tenantry import Event


class MemoKept(Event):
    """A person wrote something down."""

    kind = "memos.memo_kept"
    user_id: UUID
    memo_id: UUID
