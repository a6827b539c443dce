"""The way in to memos."""

from __future__ import annotations

from memos import actions
from memos.problems import MemoKnown
from tenantry import ONESELF, PersonWork, Routes, Wire

routes = Routes("memos")


class NewMemo(Wire):
    """A memo to be kept."""

    text: str


class MemoTexts(Wire):
    """One's memos."""

    items: list[str]


@routes.post("/memos", requires=ONESELF, status=201, problems=(MemoKnown,), example={"text": "Buy milk."})
async def keep(work: PersonWork, body: NewMemo) -> NewMemo:
    """Write a memo down."""
    await actions.keep(work, text=body.text)
    return body


@routes.post("/memos/by-orm", requires=ONESELF, status=201, problems=(MemoKnown,), example={"text": "Buy milk."})
async def keep_by_orm(work: PersonWork, body: NewMemo) -> NewMemo:
    """Write a memo down, by an ORM."""
    await actions.keep_by_orm(work, text=body.text)
    return body


@routes.get("/memos", requires=ONESELF)
async def memos(work: PersonWork) -> MemoTexts:
    """Show one's memos."""
    return MemoTexts(items=[memo.text for memo in await actions.own(work)])
