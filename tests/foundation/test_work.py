"""A Work commits all that it gathered or nothing, in one context that never outlives it."""

from __future__ import annotations

import asyncio
import contextlib
from uuid import UUID

import asyncpg
import pytest

from tenantry.accounts import queries
from tenantry.accounts.events import LoginRefused, ProfileChanged
from tenantry.accounts.problems import AddressTaken, LinkInvalid
from tenantry.foundation.action import Refusal, action
from tenantry.foundation.call import NOBODY, Actor, Call
from tenantry.foundation.data.database import NotCommitted
from tenantry.foundation.data.ids import SESSION_ID, USER_ID, new_id
from tenantry.foundation.data.pool import DatabaseUnavailable
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.refusals import Overloaded, SessionEnded
from tenantry.foundation.work import PersonWork, SystemWork, Work
from tenantry.testing import Client, Installation

WHO = "select current_user, current_setting('tenantry.person', true) as person, pg_backend_pid() as backend"
PERSONAL = (
    "users",
    "credentials",
    "sessions",
    "registrations",
    "registration_mails",
    "events",
    "signing_keys",
    "job_runs",
    "dead_letters",
    "job_schedules",
)


def _nobody(house: Installation) -> Call:
    return Call(house.runtime, NOBODY, "request-of-a-test")


def _system(house: Installation) -> SystemWork:
    return SystemWork(_nobody(house), reason="a test")


async def _person(house: Installation, ada: Client) -> PersonWork:
    claims = await house.runtime.keys.verify(ada.tokens["access_token"])
    actor = Actor("person", USER_ID.read(claims.sub), SESSION_ID.read(claims.sid))
    return PersonWork(Call(house.runtime, actor, "request-of-a-test"))


@action(requires=ANYONE, records=LoginRefused)
async def _note(work: Work) -> None:
    """Write an event, a job and a row."""
    await work.connection.execute(
        "insert into tenantry.registration_mails (id, email_key) values ($1, 'noted@example.com')", new_id()
    )
    work.record(LoginRefused(user_id=None))
    work.enqueue(NewJob("accounts.remove_expired_registrations"))


async def _noted(house: Installation) -> tuple[int, int, int]:
    mails = await house.rows("select from tenantry.registration_mails where email_key = 'noted@example.com'")
    jobs = await house.rows("select from tenantry.jobs where kind = 'accounts.remove_expired_registrations'")
    return len(mails), len(await house.recorded(LoginRefused.kind)), len(jobs)


# all or nothing


async def test_leaving_a_work_commits_its_rows_events_and_jobs(installation: Installation) -> None:
    async with _system(installation) as work:
        await _note(work)
        assert await _noted(installation) == (0, 0, 0)
    assert await _noted(installation) == (1, 1, 1)


@pytest.mark.parametrize(
    "raised", [LinkInvalid(), RuntimeError("a mistake"), asyncio.CancelledError(), KeyboardInterrupt()]
)
async def test_whatever_is_raised_rolls_back_rows_events_and_jobs(
    installation: Installation, raised: BaseException
) -> None:
    with pytest.raises(type(raised)):  # noqa: PT012  (a transaction is a block)
        async with _system(installation) as work:
            await _note(work)
            raise raised
    assert await _noted(installation) == (0, 0, 0)
    assert installation.runtime.database.pool.in_use == 0


async def test_a_returned_refusal_commits(installation: Installation) -> None:
    async def refuse() -> Refusal:
        async with _system(installation) as work:
            await _note(work)
            return Refusal(LinkInvalid())

    assert isinstance(await refuse(), Refusal)
    assert await _noted(installation) == (1, 1, 1)


async def test_a_commit_that_fails_leaves_nothing(installation: Installation) -> None:
    owner = await asyncpg.connect(installation.runtime.database.url)
    await owner.execute("alter table tenantry.jobs add constraint nothing_more check (kind = 'none') not valid")
    with pytest.raises(asyncpg.CheckViolationError):
        async with _system(installation) as work:
            await _note(work)
    assert await _noted(installation) == (0, 0, 0)
    assert installation.runtime.database.pool.in_use == 0
    await owner.close()


async def test_what_is_said_for_after_a_rollback_is_written_then_and_only_then(installation: Installation) -> None:
    async with _system(installation) as work:
        work.after_rollback(LoginRefused(user_id=None))
    assert await installation.recorded(LoginRefused.kind) == []
    with pytest.raises(LinkInvalid):  # noqa: PT012  (a transaction is a block)
        async with _system(installation) as work:
            await _note(work)
            work.after_rollback(LoginRefused(user_id=None))
            raise LinkInvalid
    assert await _noted(installation) == (0, 1, 0)


async def test_what_is_said_for_after_a_rollback_is_written_when_the_commit_itself_fails(
    installation: Installation,
) -> None:
    owner = await asyncpg.connect(installation.runtime.database.url)
    await owner.execute("alter table tenantry.jobs add constraint nothing_more check (kind = 'none') not valid")
    with pytest.raises(asyncpg.CheckViolationError):  # noqa: PT012  (a transaction is a block)
        async with _system(installation) as work:
            await _note(work)
            work.after_rollback(LoginRefused(user_id=None))
    assert await _noted(installation) == (0, 1, 0)
    await owner.close()


async def test_nothing_is_said_about_a_rollback_when_the_outcome_of_the_commit_is_unknown(
    installation: Installation,
) -> None:
    owner = await asyncpg.connect(installation.runtime.database.url)
    with pytest.raises(DatabaseUnavailable):  # noqa: PT012  (a transaction is a block)
        async with _system(installation) as work:
            await _note(work)
            work.after_rollback(LoginRefused(user_id=None))
            backend = await work.connection.fetchval("select pg_backend_pid()")
            await owner.execute("select pg_terminate_backend($1, 2000)", backend)
    assert await _noted(installation) == (0, 0, 0)
    await owner.close()


async def test_what_is_written_after_a_rollback_needs_no_second_connection(narrow: Installation) -> None:
    async with asyncio.timeout(1):
        with pytest.raises(LinkInvalid):  # noqa: PT012  (a transaction is a block)
            async with _system(narrow) as work:
                work.after_rollback(LoginRefused(user_id=None))
                raise LinkInvalid
    assert len(await narrow.recorded(LoginRefused.kind)) == 1


async def test_an_event_that_no_verb_declared_is_a_mistake(installation: Installation) -> None:
    with pytest.raises(TypeError, match="ProfileChanged"):  # noqa: PT012  (a transaction is a block)
        async with _system(installation) as work:
            await _note(work)
            work.record(ProfileChanged(user_id=new_id(), fields=(), version_after=1))
    assert await _noted(installation) == (0, 0, 0)


# what the database refuses


async def test_a_declared_constraint_is_its_refusal(installation: Installation) -> None:
    await installation.person("ada@example.com")
    with pytest.raises(AddressTaken) as refused:
        async with _system(installation) as work:
            await work.connection.execute(
                "insert into tenantry.users (id, email, email_key, name) values ($1, 'x', 'ada@example.com', 'x')",
                new_id(),
            )
    assert (refused.value.status, refused.value.code) == (409, "address_taken")


async def test_an_undeclared_constraint_stays_a_mistake_of_ours(installation: Installation) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        async with _system(installation) as work:
            await work.connection.execute(
                "insert into tenantry.signing_keys (kid, state, public_key, sealed_private) values ('k', 'odd', '', '')"
            )


@pytest.mark.parametrize(
    "statement",
    [
        "set local statement_timeout = '20ms'; select pg_sleep(5)",
        "do $$ begin raise exception using errcode = '40001'; end $$",
        "do $$ begin raise exception using errcode = '40P01'; end $$",
        "do $$ begin raise exception using errcode = '55P03'; end $$",
    ],
)
async def test_what_the_database_could_not_finish_is_worth_another_try(
    installation: Installation, statement: str
) -> None:
    with pytest.raises(Overloaded):
        async with _system(installation) as work:
            await work.connection.execute(statement)
    assert installation.runtime.database.pool.in_use == 0


async def test_a_connection_that_dies_in_the_middle_is_replaced(narrow: Installation) -> None:
    with pytest.raises(DatabaseUnavailable):  # noqa: PT012  (a transaction is a block)
        async with _system(narrow) as work:
            backend = await work.connection.fetchval("select pg_backend_pid()")
            await narrow.rows("select 1")
            owner = await asyncpg.connect(narrow.runtime.database.url)
            await owner.execute("select pg_terminate_backend($1)", backend)
            await owner.close()
            await work.connection.fetchval("select pg_sleep(1)")
    async with _system(narrow) as work:
        assert await work.connection.fetchval("select pg_backend_pid()") != backend


# contexts


async def test_without_a_context_the_application_sees_no_rows(installation: Installation) -> None:
    await installation.person()
    connection = await asyncpg.connect(installation.runtime.database.url)
    try:
        for table in PERSONAL:
            async with connection.transaction():
                await connection.execute("set local role tenantry_app")
                try:
                    async with connection.transaction():
                        assert await connection.fetch(f"select from tenantry.{table}") == [], table
                except asyncpg.InsufficientPrivilegeError:
                    continue
    finally:
        await connection.close()


async def test_a_login_that_took_no_role_sees_no_rows_either(installation: Installation) -> None:
    await installation.person()
    connection = await asyncpg.connect(installation.runtime.database.url)
    try:
        for table in PERSONAL:
            # its owner too, behind forced row security; others may not even ask
            assert await connection.fetch(f"select from tenantry.{table}") == [], table
    finally:
        await connection.close()


async def test_a_person_sees_and_changes_only_their_own_rows(house_of_two: tuple[Installation, Client, Client]) -> None:
    house, ada, eve = house_of_two
    async with await _person(house, ada) as work:
        assert [row["email"] for row in await work.connection.fetch("select email from tenantry.users")] == [ada.email]
        assert len(await work.connection.fetch("select from tenantry.sessions")) == 1
        rename = "update tenantry.users set name = 'Eve' where id = $1"
        assert await work.connection.execute(rename, USER_ID.read(eve.user_id)) == "UPDATE 0"
        assert await work.connection.execute(rename, USER_ID.read(ada.user_id)) == "UPDATE 1"
    async with await _person(house, ada) as work:
        events = await work.connection.fetch("select distinct person_id from tenantry.events")
        assert [row["person_id"] for row in events] == [USER_ID.read(ada.user_id)]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into tenantry.users (id, email, email_key, name) values (gen_random_uuid(), 'x', 'x', 'x')",
        "delete from tenantry.users",
        "select from tenantry.signing_keys",
        "select from tenantry.registrations",
        "update tenantry.sessions set user_id = '{eve}'",
        "update tenantry.sessions set expires_at = 'infinity'",
        "update tenantry.users set email = 'eve@example.com'",
        "update tenantry.users set disabled_at = null",
        "select password_hash from tenantry.credentials",
        "insert into tenantry.events (at, kind, version, payload, actor, request_id)"
        " values (tenantry.now(), 'x', 1, '{{}}', '{{}}', 'x')",
        "insert into tenantry.events (kind, version, payload, actor, request_id) values ('x', 1, '{{}}', '{{}}', 'x')",
        "insert into tenantry.events (person_id, kind, version, payload, actor, request_id)"
        " values ('{eve}', 'x', 1, '{{}}', '{{}}', 'x')",
        "insert into tenantry.jobs (id, kind, person_id) values (gen_random_uuid(), 'x', '{eve}')",
        "insert into tenantry.jobs (id, kind) values (gen_random_uuid(), 'x')",
        "insert into tenantry.jobs (id, kind, attempt) values (gen_random_uuid(), 'x', 3)",
        "select args from tenantry.jobs",
        "drop table tenantry.users",
    ],
)
async def test_a_person_cannot_reach_beyond(house_of_two: tuple[Installation, Client, Client], statement: str) -> None:
    house, ada, eve = house_of_two
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.PostgresSyntaxError)) as refused:
        async with await _person(house, ada) as work:
            await work.connection.execute(statement.format(eve=USER_ID.read(eve.user_id)))
    assert isinstance(refused.value, asyncpg.InsufficientPrivilegeError)


@pytest.fixture
async def house_of_two(installation: Installation) -> tuple[Installation, Client, Client]:
    """An installation with two people in it."""
    return installation, await installation.person(), await installation.person()


async def _left_over(narrow: Installation) -> tuple[str, str | None]:
    connection = await narrow.runtime.database.pool.acquire()
    try:
        row = await connection.fetchrow(WHO)
        assert row is not None
        return row["current_user"], row["person"] or None
    finally:
        narrow.runtime.database.pool.release(connection)


@pytest.mark.parametrize("ending", ["commit", "problem", "error in sql", "timeout", "cancelled", "commit fails"])
async def test_role_and_person_never_survive_into_the_next_work(narrow: Installation, ending: str) -> None:
    ada = await narrow.person()
    login = await _left_over(narrow)
    assert login[1] is None

    async def work_on() -> None:
        async with await _person(narrow, ada) as work:
            row = await work.connection.fetchrow(WHO)
            assert row is not None
            assert (row["current_user"], UUID(row["person"])) == ("tenantry_app", work.person)
            if ending == "problem":
                raise LinkInvalid
            if ending == "error in sql":
                await work.connection.execute("select 1 / 0")
            if ending == "timeout":
                await work.connection.execute("select pg_sleep(5)", timeout=0.05)
            if ending == "cancelled":
                await work.connection.execute("select pg_sleep(5)")
            if ending == "commit fails":
                work._bundle.add_job(NewJob("x", args="not json"), work.call)

    task = asyncio.create_task(work_on())
    if ending == "cancelled":
        await asyncio.sleep(0.1)
        task.cancel()
    outcome = (await asyncio.gather(task, return_exceptions=True))[0]
    assert (outcome is None) is (ending == "commit"), outcome
    assert narrow.runtime.database.pool.in_use == 0
    assert await _left_over(narrow) == login
    async with _system(narrow) as work:
        row = await work.connection.fetchrow(WHO)
        assert row is not None
        assert (row["current_user"], row["person"] or None) == ("tenantry_system", None)


async def test_an_ended_session_cannot_open_a_work(installation: Installation) -> None:
    ada = await installation.person()
    work = await _person(installation, ada)
    await ada.post("/v1/auth/logout", {})
    with pytest.raises(SessionEnded):
        async with work:
            raise AssertionError("it was let in")
    assert installation.runtime.database.pool.in_use == 0


async def test_a_session_of_somebody_else_cannot_open_a_work(house_of_two: tuple[Installation, Client, Client]) -> None:
    house, ada, eve = house_of_two
    adas, eves = await _person(house, ada), await _person(house, eve)
    mixed = Call(house.runtime, Actor("person", adas.person, eves.session_id), "request-of-a-test")
    with pytest.raises(SessionEnded):
        async with PersonWork(mixed):
            raise AssertionError("it was let in")


async def test_nobody_and_nothing_but_ids_opens_a_persons_work(installation: Installation) -> None:
    with pytest.raises(TypeError):
        PersonWork(_nobody(installation))
    forged = PersonWork(Call(installation.runtime, Actor("person", new_id(), new_id()), "x"))
    forged.person = "'; drop table tenantry.users; --"  # type: ignore[assignment]
    with pytest.raises(TypeError):
        forged.context()


async def test_what_a_query_reads_needs_a_work(installation: Installation) -> None:
    ada = await installation.person()
    async with await _person(installation, ada) as work:
        assert (await queries.oneself(work)).email == ada.email
    with pytest.raises(LookupError):
        async with _system(installation) as house:
            await queries.oneself(house)  # type: ignore[arg-type]


async def test_an_error_that_a_verb_swallowed_is_not_taken_for_a_commit(installation: Installation) -> None:
    call = Call(installation.runtime, Actor("cli", name="test"), "test-request")

    async def swallow() -> None:
        async with SystemWork(call, reason="a test") as work:
            with contextlib.suppress(asyncpg.PostgresError):
                await work.connection.execute("select 1 / 0")

    with pytest.raises(NotCommitted):
        await swallow()
    assert installation.runtime.database.pool.in_use == 0
