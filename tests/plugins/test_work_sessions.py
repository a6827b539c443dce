"""`work.session()`: an ORM in the Work's own transaction and context, which the Work alone ends."""

from __future__ import annotations

import gc
import warnings
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from memos import actions
from memos.events import MemoKept
from memos.problems import MemoKnown
from memos.rows import MemoRow
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, InterfaceError

from tenantry.foundation.around import around
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID, new_id
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.work import PersonWork, SystemWork
from tenantry.testing import Client, Databases, Installation, installed

BACKEND = text("select pg_backend_pid(), current_user")


async def _call(house: Installation, person: Client) -> Call:
    claims = await house.runtime.keys.verify(person.tokens["access_token"])
    actor = Actor("person", USER_ID.read(claims.sub), SESSION_ID.read(claims.sid))
    return Call(house.runtime, actor, "request-of-a-test")


async def _texts(house: Installation) -> list[str]:
    return [row["text"] for row in await house.rows("select text from memos.memos order by id")]


async def _work(house: Installation) -> PersonWork:
    return PersonWork(await _call(house, await house.person()))


def _memo(work: PersonWork, words: str) -> MemoRow:
    return MemoRow(id=new_id(), user_id=work.person, text=words, more={})


async def test_the_session_is_in_the_transaction_of_the_work_under_its_role(memo_house: Installation) -> None:
    async with await _work(memo_house) as work:
        mine = tuple(await work.connection.fetchrow("select pg_backend_pid(), current_user"))
        assert tuple((await work.session().execute(BACKEND)).one()) == mine
        assert mine[1] == "tenantry_app"
        assert work.session() is work.session()


async def test_what_is_added_is_written_in_the_commit_with_its_event_and_read_back_as_it_was(
    memo_house: Installation,
) -> None:
    async with await _work(memo_house) as work:
        memo_id = await actions.keep_by_orm(work, text="Buy milk.")
        assert await _texts(memo_house) == []
        assert [memo.text for memo in await actions.own(work)] == []  # not flushed yet
        found = (await work.session().scalars(select(MemoRow))).one()
        assert (found.id, found.more) == (memo_id, {"by": ["orm"]})
        assert [memo.text for memo in await actions.own(work)] == ["Buy milk."]
    assert await _texts(memo_house) == ["Buy milk."]
    assert len(await memo_house.recorded(MemoKept.kind)) == 1
    async with PersonWork(work.call, reading=True) as later:
        again = (await later.session().scalars(select(MemoRow))).one()
        assert again.more == {"by": ["orm"]}
        # the connection itself reads JSON as it always did
        assert await later.connection.fetchval("select more from memos.memos") == '{"by": ["orm"]}'


async def test_what_is_raised_rolls_the_session_back_as_well(memo_house: Installation) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012  (a transaction is a block)
        async with await _work(memo_house) as work:
            work.session().add(_memo(work, "flushed"))
            await work.session().flush()
            work.session().add(_memo(work, "pending"))
            raise RuntimeError
    assert await _texts(memo_house) == []
    assert memo_house.runtime.database.pool.in_use == 0


@pytest.mark.parametrize("ending", ["commit", "rollback", "close", "invalidate", "aclose"])
async def test_nobody_but_the_work_ends_the_transaction(memo_house: Installation, ending: str) -> None:
    async with await _work(memo_house) as work:
        work.session().add(_memo(work, "kept"))
        await work.session().flush()
        with pytest.raises(TypeError, match="the Work commits"):
            await getattr(work.session(), ending)()
        with pytest.raises(TypeError, match="the Work commits"):
            await work.session().run_sync(lambda session: session.commit())
        assert await _texts(memo_house) == []
    assert await _texts(memo_house) == ["kept"]


async def test_a_session_that_is_begun_and_left_commits_nothing(memo_house: Installation) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012  (a transaction is a block)
        async with await _work(memo_house) as work:
            async with work.session().begin():
                work.session().add(_memo(work, "begun"))
            assert await _texts(memo_house) == []
            raise RuntimeError
    assert await _texts(memo_house) == []


async def test_a_person_sees_and_writes_only_their_own_rows_through_it(memo_house: Installation) -> None:
    async with await _work(memo_house) as adas:
        adas.session().add(_memo(adas, "Ada's"))
    async with await _work(memo_house) as eves:
        assert (await eves.session().scalars(select(MemoRow))).all() == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with await _work(memo_house) as eves:
            eves.session().add(MemoRow(id=new_id(), user_id=adas.person, text="forged", more={}))
    assert await _texts(memo_house) == ["Ada's"]


@pytest.mark.parametrize("how", ["left", "raised"])
async def test_a_session_is_of_no_use_when_its_work_has_ended(memo_house: Installation, how: str) -> None:
    try:
        async with await _work(memo_house) as work:
            session = work.session()
            session.add(_memo(work, "kept"))
            await session.flush()
            if how == "raised":
                raise RuntimeError
    except RuntimeError:
        pass
    # somebody else has the connection now, in a transaction of theirs
    async with SystemWork(work.call, reason="a test"):
        with pytest.raises(InterfaceError, match="has ended"):
            await session.execute(text("select 1"))


async def test_a_constraint_means_its_problem_whether_it_is_met_at_a_flush_or_at_the_end(
    memo_house: Installation,
) -> None:
    work = await _work(memo_house)
    async with work:
        await actions.keep(work, text="once")
    for flush in (True, False):
        with pytest.raises(MemoKnown):  # noqa: PT012  (a transaction is a block)
            async with PersonWork(work.call) as again:
                again.session().add(_memo(again, "once"))
                if flush:
                    await again.session().flush()
    assert await _texts(memo_house) == ["once"]


async def test_a_savepoint_of_the_session_fails_alone(memo_house: Installation) -> None:
    async with await _work(memo_house) as work:
        session = work.session()
        session.add(_memo(work, "once"))
        with pytest.raises(DBAPIError):  # noqa: PT012  (a savepoint is a block)
            async with session.begin_nested():
                session.add(_memo(work, "once"))
                await session.flush()
        session.add(_memo(work, "twice"))
    assert await _texts(memo_house) == ["once", "twice"]


async def test_a_savepoint_that_is_left_open_is_a_mistake_that_commits_nothing(memo_house: Installation) -> None:
    with pytest.raises(TypeError, match="left open"):  # noqa: PT012  (a transaction is a block)
        async with await _work(memo_house) as work:
            await work.session().begin_nested()
            work.session().add(_memo(work, "lost"))
    assert await _texts(memo_house) == []
    assert memo_house.runtime.database.pool.in_use == 0


async def test_a_work_that_reads_writes_nothing_through_it_either(memo_house: Installation) -> None:
    call = await _call(memo_house, await memo_house.person())
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with PersonWork(call, reading=True) as work:
            work.session().add(_memo(work, "forbidden"))
    assert memo_house.runtime.database.pool.in_use == 0
    assert await _texts(memo_house) == []


@pytest.mark.parametrize("opened_before", [True, False])
async def test_an_optional_wrap_that_fails_takes_its_own_part_of_the_session_back(
    memo_house: Installation, opened_before: bool
) -> None:
    @around(actions.keep_by_orm, optional=True)
    async def failing(work: PersonWork) -> AsyncGenerator[None, Any]:
        work.session().add(_memo(work, "of the wrap"))
        if not opened_before:
            raise RuntimeError
        yield
        work.session().add(_memo(work, "of the wrap, after"))
        raise RuntimeError

    wraps = Registry((Domain(name="trial", around=(failing,)),)).wraps
    call = await _call(memo_house, await memo_house.person())
    call = msgspec.structs.replace(call, runtime=msgspec.structs.replace(memo_house.runtime, wraps=wraps))
    async with PersonWork(call) as work:
        await actions.keep_by_orm(work, text="of the verb")
    kept = ["of the wrap", "of the verb"] if opened_before else ["of the verb"]
    assert await _texts(memo_house) == kept


async def test_an_optional_wrap_whose_session_cannot_be_written_is_undone_alone(memo_house: Installation) -> None:
    @around(actions.keep, optional=True)
    async def repeating(work: PersonWork, *, text: str) -> AsyncGenerator[None, Any]:
        yield
        # never flushed by the wrap itself
        work.session().add(_memo(work, text))

    wraps = Registry((Domain(name="trial", around=(repeating,)),)).wraps
    call = await _call(memo_house, await memo_house.person())
    call = msgspec.structs.replace(call, runtime=msgspec.structs.replace(memo_house.runtime, wraps=wraps))
    async with PersonWork(call) as work:
        await actions.keep(work, text="once")
    assert await _texts(memo_house) == ["once"]


async def test_nothing_of_a_session_is_left_for_the_garbage_collector(memo_house: Installation) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with await _work(memo_house) as work:
            work.session().add(_memo(work, "one"))
        with pytest.raises(RuntimeError):  # noqa: PT012  (a transaction is a block)
            async with PersonWork(work.call) as other:
                other.session().add(_memo(other, "two"))
                await other.session().flush()
                raise RuntimeError
        del work, other
        gc.collect()


async def test_behind_a_pooler_a_session_leaves_no_statement_by_name(
    memo_databases: Databases, with_memos: Registry, tmp_path: Path
) -> None:
    environ = {"TENANTRY_DATABASE_POOLER": "transaction"}
    async with (
        memo_databases.fresh() as url,
        installed(url, tmp_path, registry=with_memos, environ=environ) as house,
    ):
        async with await _work(house) as work:
            # the same statements in turn: behind a pooler none is prepared for longer than it runs
            for count, words in enumerate(("one", "two", "three"), 1):
                work.session().add(_memo(work, words))
                await work.session().flush()
                assert len((await work.session().scalars(select(MemoRow))).all()) == count
                assert await work.connection.fetchval("select count(*) from memos.memos") == count
            assert await work.connection.fetch("select name from pg_prepared_statements where name <> ''") == []
        assert await _texts(house) == ["one", "two", "three"]


async def test_by_http_a_row_of_an_orm_is_a_row(memo_house: Installation) -> None:
    ada = await memo_house.person()
    assert (await ada.post("/v1/memos/by-orm", {"text": "Buy milk."})).status == 201
    again = await ada.post("/v1/memos", {"text": "Buy milk."})
    assert (again.status, again.code) == (409, "memo_known")
    assert (await ada.get("/v1/memos")).json == {"items": ["Buy milk."]}
    assert isinstance((await memo_house.rows("select id from memos.memos"))[0]["id"], UUID)
