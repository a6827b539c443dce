"""What changes memos."""

from __future__ import annotations

from uuid import UUID

import msgspec

from memos.events import MemoKept
from memos.rows import MemoRow
from tenantry import ONESELF, PersonWork, action, many, new_id, run
from tenantry.foundation.fate import erased


class Memo(msgspec.Struct, frozen=True):
    """Something a person wants to remember."""

    id: UUID
    text: str


insert = run("insert into memos.memos (id, user_id, text) values (:id, tenantry.person(), :text)")
own = many(Memo, "select id, text from memos.memos where user_id = tenantry.person() order by id")
erase = run("delete from memos.memos where user_id = :user_id")
TABLES = {"memos": erased(erase)}


@action(requires=ONESELF, records=MemoKept)
async def keep(work: PersonWork, *, text: str) -> UUID:
    """Write a memo down."""
    memo_id = new_id()
    await insert(work, id=memo_id, text=text)
    work.record(MemoKept(user_id=work.person, memo_id=memo_id))
    return memo_id


@action(requires=ONESELF, records=MemoKept)
async def keep_by_orm(work: PersonWork, *, text: str) -> UUID:
    """Write a memo down through the session, and leave the writing to the Work."""
    memo = MemoRow(id=new_id(), user_id=work.person, text=text, more={"by": ["orm"]})
    work.session().add(memo)
    work.record(MemoKept(user_id=work.person, memo_id=memo.id))
    return memo.id
