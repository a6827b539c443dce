"""A tenant's context shows its rows and nobody else's, and never outlives its transaction, whatever goes wrong."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import asyncpg
import pytest
import troubling
from tenancy_kit import PGBOUNCER, TABLES, Tenant, connected, pooled, tenant

from tenantry.assemble import DOMAINS
from tenantry.billing.problems import BillingOff
from tenantry.foundation.call import NOBODY, Call
from tenantry.foundation.data.database import org_context
from tenantry.foundation.data.ids import SESSION_ID
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.refusals import Overloaded
from tenantry.foundation.work import SystemWork
from tenantry.testing import Databases, Installation, Response, installed

REGISTRY = Registry((*DOMAINS, troubling.domain, Domain(name="touching", jobs=troubling)))
ROUNDS = 60
BARE = """
    select current_user = session_user,
           coalesce(current_setting('tenantry.org', true), ''),
           coalesce(current_setting('tenantry.person', true), '')
"""


@pytest.fixture(scope="module")
async def tenants(house: Installation) -> tuple[Tenant, Tenant]:
    """Two tenants that know nothing of each other."""
    return await tenant(house, "Acme"), await tenant(house, "Bolt")


async def _context_of(one: Tenant) -> str:
    claims = await one.house.runtime.keys.verify(one.owner.tokens["access_token"])
    session = SESSION_ID.read(claims.sid)
    assert session is not None
    return org_context(one.person, session, one.org_id)


# what is seen without a context, and in one


@pytest.mark.parametrize("before", ["nobody", "committed", "rolled back", "failed"])
async def test_without_a_context_no_table_of_tenants_shows_a_row(tenants: tuple[Tenant, Tenant], before: str) -> None:
    acme, _ = tenants
    async with connected(acme.house.runtime.database.url) as connection:
        if before != "nobody":
            await connection.execute(f"begin;{await _context_of(acme)}")
            assert await connection.fetchval("select count(*) from tenantry.members") == 1
            if before == "failed":
                with pytest.raises(asyncpg.DivisionByZeroError):
                    await connection.execute("select 1 / 0")
            await connection.execute("commit" if before == "committed" else "rollback")
        tables = await connection.fetch(TABLES)
        assert {"orgs", "members", "org_slugs", "events"} <= {table["name"] for table in tables if table["readable"]}
        await connection.execute("begin; set local role tenantry_app")
        for table in tables:
            if table["readable"]:
                rows = await connection.fetchval(f"select count(*) from tenantry.{table['name']}")
                assert rows == 0, table["name"]


async def test_in_a_context_every_table_shows_its_tenants_rows_only(tenants: tuple[Tenant, Tenant]) -> None:
    for mine in tenants:
        async with await mine.work(reading=True) as work:
            for table in await work.connection.fetch(TABLES):
                if table["readable"]:
                    column = "id" if table["name"] == "orgs" else "org_id"
                    statement = f"select distinct {column} from tenantry.{table['name']} where {column} is not null"
                    assert {row[0] for row in await work.connection.fetch(statement)} <= {mine.org_id}, table["name"]
            assert await work.connection.fetchval("select count(*) from tenantry.members") == 1
            assert await work.connection.fetchval("select count(*) from tenantry.users") == 1


# whose rows are one person's in the organization
OF_ONE_PERSON = {"audit_exports"}


async def test_an_org_id_that_is_forged_is_refused_by_every_table(tenants: tuple[Tenant, Tenant]) -> None:
    acme, bolt = tenants
    async with connected(acme.house.runtime.database.url) as connection:
        context, tried = await _context_of(acme), set()
        for table in await connection.fetch(TABLES):
            column = "id" if table["name"] == "orgs" else "org_id"
            if column in table["inserts"]:
                insert = f"insert into tenantry.{table['name']} ({column}) values ($1)"
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
                    await _within(connection, context, insert, bolt.org_id)
                # for one's own it is not row security that says no: a row needs more than that
                if table["name"] in OF_ONE_PERSON:
                    insert = f"insert into tenantry.{table['name']} (org_id, person_id) values ($1, tenantry.person())"
                with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                    await _within(connection, context, insert, acme.org_id)
                tried.add(table["name"])
    assert {"orgs", "members", "org_slugs", "events", "jobs"} <= tried


async def test_no_row_is_handed_to_another_tenant_changed_in_one_or_taken_from_one(
    tenants: tuple[Tenant, Tenant],
) -> None:
    acme, bolt = tenants
    async with connected(acme.house.runtime.database.url) as connection:
        context = await _context_of(acme)
        for table in await connection.fetch(TABLES):
            name, column = table["name"], "id" if table["name"] == "orgs" else "org_id"
            refused = (asyncpg.InsufficientPrivilegeError, asyncpg.ForeignKeyViolationError)
            with pytest.raises(refused):
                await _within(connection, context, f"update tenantry.{name} set {column} = $1", bolt.org_id)
            for own in table["updates"]:
                change = f"update tenantry.{name} set {own} = {own} where {column} = $1"
                if table["readable"]:
                    assert await _within(connection, context, change, bolt.org_id) == "UPDATE 0", name
            if table["deletes"]:
                delete = f"delete from tenantry.{name} where {column} = $1"
                assert await _within(connection, context, delete, bolt.org_id) == "DELETE 0", name


async def test_a_change_that_asks_for_no_row_in_particular_reaches_ones_own_only(
    tenants: tuple[Tenant, Tenant],
) -> None:
    # such a statement reads nothing, so that what may be read does not narrow it
    acme, _ = tenants
    async with connected(acme.house.runtime.database.url) as connection:
        context = await _context_of(acme)
        for table in await connection.fetch(TABLES):
            name, column = f"tenantry.{table['name']}", "id" if table["name"] == "orgs" else "org_id"
            own = await acme.house.rows(f"select from {name} where {column} = $1", acme.org_id)
            if table["deletes"]:
                assert await _within(connection, context, f"delete from {name}") == f"DELETE {len(own)}", name
            if "version" in table["updates"]:
                change = f"update {name} set version = 7"
                assert await _within(connection, context, change) == f"UPDATE {len(own)}", name


async def _within(connection: asyncpg.Connection[asyncpg.Record], context: str, statement: str, *given: object) -> str:
    await connection.execute(f"begin;{context}")
    try:
        return await connection.execute(statement, *given)
    finally:
        await connection.execute("rollback")


@pytest.mark.parametrize("role", ["tenantry_app", "tenantry_system"])
async def test_partitions_and_whatever_the_owner_makes_of_tables_is_nobodys_until_it_is_granted(
    installation: Installation, role: str
) -> None:
    async with connected(installation.runtime.database.url) as owner:
        await owner.execute(
            """
            create view tenantry.plain as select * from tenantry.members;
            create materialized view tenantry.kept as select * from tenantry.members;
            create table tenantry.events_later partition of tenantry.events
               for values from ('2999-01-01') to ('3000-01-01');
            """
        )
        for name in ("events_rest", "events_later", "plain", "kept"):
            for statement in ("select from tenantry.{}", "delete from tenantry.{}"):
                await owner.execute(f"begin; set local role {role}")
                # of a materialized view nothing can be deleted by anybody
                with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.WrongObjectTypeError)):
                    await owner.execute(statement.format(name))
                await owner.execute("rollback")


async def test_a_name_that_another_tenant_uses_is_free(house: Installation, tenants: tuple[Tenant, Tenant]) -> None:
    # the URL in the example of a webhook endpoint leads nowhere from here
    made_here = (
        route
        for route in house.registry.routes
        if BillingOff not in route.problems and route.name != "webhooks.create_endpoint"
    )
    creating = [route for route in made_here if route.status == 201 and list(route.ids) == ["org"]]
    for route in creating:
        answers = [await one.owner.post(route.path.format(org=one.org), route.example) for one in tenants]
        assert [answer.status for answer in answers] == [201, 201], (route.name, answers)
    names = [await one.owner.post("/v1/orgs", {"name": "The Same Name"}) for one in tenants]
    assert [answer.status for answer in names] == [201, 201]
    # addresses are everybody's: the one thing that may be known of another tenant, and all that is said of it
    taken = [await one.owner.post("/v1/orgs", {"name": "Known", "slug": "known-to-all"}) for one in tenants]
    assert [answer.status for answer in taken] == [201, 409]
    assert taken[1].json.keys() == {"type", "title", "status", "code", "detail", "request_id"}


async def test_a_closed_organization_is_as_unknown_to_others_as_an_open_one(house: Installation) -> None:
    acme, bolt = await tenant(house, "Open"), await tenant(house, "Closed")
    open_answer = await acme.owner.get(bolt.path)
    call = Call(house.runtime, NOBODY, "request-of-a-test")
    async with SystemWork(call, reason="a test") as work:
        await work.connection.execute(
            "update tenantry.orgs set closed_at = tenantry.now(), purge_at = tenantry.now() where id = $1", bolt.org_id
        )
    for path in (bolt.path, f"{bolt.path}/members"):
        answer = await acme.owner.get(path)
        assert (answer.status, answer.code) == (open_answer.status, open_answer.code) == (404, "not_found")


# what the next one on a connection inherits: nothing


async def _commits(one: Tenant) -> None:
    async with await one.work() as work:
        await troubling.context(work)


async def _leaves(one: Tenant) -> None:
    async with await one.work(reading=True) as work:
        await troubling.context(work)


async def _raises(one: Tenant) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012  (a transaction is a block)
        async with await one.work() as work:
            await troubling.context(work)
            raise RuntimeError


async def _fails(one: Tenant) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with await one.work() as work:
            await work.connection.execute("select 1 / 0")


async def _times_out(one: Tenant) -> None:
    with pytest.raises(Overloaded):  # noqa: PT012  (a transaction is a block)
        async with await one.work() as work:
            await work.connection.execute("set local statement_timeout = '20ms'")
            await troubling.sleep(work, seconds=5.0)


async def _is_cancelled(one: Tenant) -> None:
    inside = asyncio.Event()

    async def waits() -> None:
        async with await one.work() as work:
            inside.set()
            await troubling.sleep(work, seconds=5.0)

    task = asyncio.create_task(waits())
    await inside.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _is_cancelled_while_opening(one: Tenant) -> None:
    for turns in range(8):
        task = asyncio.create_task(_leaves(one))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _is_refused(one: Tenant) -> None:
    answer = await one.owner.get("/v1/orgs/org_01jd4w2q8nf6v9m3x5c7b1r0kt")
    assert answer.status == 404


ENDINGS = (_commits, _leaves, _raises, _fails, _times_out, _is_cancelled, _is_cancelled_while_opening, _is_refused)


CONNECTIONS = {
    "alone-1": (1, False),
    "alone-2": (2, False),
    "alone-4": (4, False),
    "behind-pgbouncer-1": (1, True),
    "behind-pgbouncer-3": (3, True),
}
"""How many connections there are to the database, and whether a pooler hands them out."""


@pytest.fixture(scope="module", params=CONNECTIONS.values(), ids=CONNECTIONS)
async def sharing(
    request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Tenant, Tenant]]:
    """Two tenants of a house with very few connections, its own or a pooler's."""
    size, behind = request.param
    if behind and PGBOUNCER is None:
        pytest.skip("there is no pgbouncer")
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh())
        environ = {"TENANTRY_DATABASE_POOL": str(size)}
        if behind:
            # more connections to the pooler than it has itself: which one a transaction gets is anybody's guess
            environ = {"TENANTRY_DATABASE_POOL": "5", "TENANTRY_DATABASE_POOLER": "transaction"}
            environ["TENANTRY_DATABASE_DIRECT_URL"] = url
            url = await stack.enter_async_context(pooled(url, size=size))
        data = tmp_path_factory.mktemp("sharing")
        house = await stack.enter_async_context(installed(url, data, registry=REGISTRY, environ=environ))
        yield await tenant(house, "Acme"), await tenant(house, "Bolt")


@pytest.mark.parametrize("ending", ENDINGS, ids=[ending.__name__.strip("_") for ending in ENDINGS])
async def test_nothing_of_a_context_is_left_for_the_next(
    sharing: tuple[Tenant, Tenant], ending: Callable[[Tenant], Awaitable[None]]
) -> None:
    acme, bolt = sharing
    for _ in range(2):
        await ending(acme)
        await asyncio.gather(*(_own(bolt, reading) for reading in (True, False)), _alone(acme), _house(acme))
        await _house(acme)
    await asyncio.gather(_bare(acme), _own(acme, reading=True), _own(bolt, reading=True))


async def _own(one: Tenant, reading: bool) -> None:
    async with await one.work(reading=reading) as work:
        found = await troubling.context(work)
    assert (found.role, found.org, found.person) == ("tenantry_app", str(one.org_id), str(one.person))
    assert (found.orgs, found.people) == ([str(one.org_id)], [str(one.person)])


async def _alone(one: Tenant) -> None:
    async with await one.own_work() as work:
        found = await troubling.context(work)
    assert (found.role, found.org, found.person) == ("tenantry_app", "", str(one.person))
    assert (found.orgs, found.people) == ([str(one.org_id)], [str(one.person)])


async def _house(one: Tenant) -> None:
    async with SystemWork(Call(one.house.runtime, NOBODY, "request-of-a-test"), reason="a test") as work:
        found = await troubling.context(work)
    assert (found.role, found.org, found.person) == ("tenantry_system", "", "")


async def _bare(one: Tenant) -> None:
    """A connection as the pool hands it out, once whatever was left in it is ended."""
    pool = one.house.runtime.database.pool
    connection = await pool.acquire()
    if connection.is_in_transaction():
        await connection.execute("rollback")
    # a pooler's connections know each statement by one name
    found = (await connection.fetch(BARE))[0] if one.house.runtime.settings.database_pooler == "none" else None
    pool.release(connection)
    assert found is None or tuple(found) == (True, "", "")


async def test_requests_of_two_tenants_do_not_mix_whatever_goes_wrong_between_them(
    sharing: tuple[Tenant, Tenant],
) -> None:
    chance = random.Random(7)
    turn = asyncio.Semaphore(6)

    async def asks(one: Tenant) -> None:
        async with turn:
            await chance.choice((_reads, _reads, _writes, _wrong, _hangs_up))(one, chance)

    await asyncio.gather(*(asks(one) for _ in range(ROUNDS) for one in sharing))
    async with asyncio.timeout(5):
        # whoever hung up is answered all the same, and what was only read is ended in a moment
        while sharing[0].house.runtime.database.pool.in_use:  # noqa: ASYNC110  (a pool tells nobody)
            await asyncio.sleep(0.01)
    for one in sharing:
        assert (await one.owner.get(f"{one.path}/trouble/context")).status == 200
        await _reads(one, chance)
        await _writes(one, chance)


async def _reads(one: Tenant, chance: random.Random) -> None:
    _is_own(one, await one.owner.get(f"{one.path}/trouble/context"))


async def _writes(one: Tenant, chance: random.Random) -> None:
    _is_own(one, await one.owner.post(f"{one.path}/trouble/context"))


async def _wrong(one: Tenant, chance: random.Random) -> None:
    method, kind = chance.choice(("GET", "POST")), chance.choice(("raises", "times-out"))
    answer = await one.owner.request(method, f"{one.path}/trouble/{kind}")
    assert answer.status == {"raises": 500, "times-out": 503}[kind]


async def _hangs_up(one: Tenant, chance: random.Random) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(chance.uniform(0.001, 0.04)):
            await one.owner.get(f"{one.path}/trouble/slow")


def _is_own(one: Tenant, answer: Response) -> None:
    # a house with one connection may be busy, and says so
    if answer.status != 503:
        mine = {"role": "tenantry_app", "person": str(one.person), "org": str(one.org_id)}
        assert answer.json == mine | {"orgs": [str(one.org_id)], "people": [str(one.person)]}


async def test_jobs_of_two_tenants_in_turn_touch_their_own_though_one_crashes(
    sharing: tuple[Tenant, Tenant],
) -> None:
    acme, house = sharing[0], sharing[0].house
    troubling.touched.contexts.clear()
    for number in range(4):
        for one in sharing:
            async with await one.work() as work:
                crash = one is acme and number > 0
                work.enqueue(NewJob.of("troubling.touch", troubling.Touch(org_id=one.org_id, crash=crash)))
    await house.drain_jobs()
    seen = troubling.touched.contexts
    assert len(seen) == 8
    assert all(org == meant and inherited == "" for org, meant, inherited in seen)
    names = [(await one.owner.get(one.path)).json["name"] for one in sharing]
    assert names == ["touched", "touched"]
