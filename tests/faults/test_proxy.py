"""The fault proxy itself: it counts right, kills where it says, and its oracle notices a wrong program."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
import uuid
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tenantry.foundation.data.embedded import EmbeddedPostgres

from . import proxied
from .crash_points import (
    Point,
    Side,
    Unit,
    Victim,
    Window,
    cut,
    enumerate_points,
    process_group,
    process_tree,
    sample,
    visit,
    visit_all,
)
from .ledger import Fate, Ledger, fate_of
from .proxy import Counted, PostgresProxy, named

Client = asyncpg.Connection
CUT_OFF = (asyncpg.PostgresConnectionError, OSError)
# The victim: it writes a pair in one transaction, or, wrongly, in two; then it says that it did.
PROGRAM = """
import asyncio, os, sys, asyncpg

async def main():
    connection = await asyncpg.connect(os.environ["DSN"])
    print("ready", flush=True)
    name = sys.stdin.readline().strip()
    await connection.execute("begin")
    await connection.execute("insert into pair (name, side) values ($1, 'left')", name)
    if "torn" in sys.argv:
        await connection.execute("commit; begin")
    await connection.execute("insert into pair (side, name) values ('right', $1)", name)
    await connection.execute("commit")
    print("acknowledged", flush=True)
    os._exit(0)  # without a goodbye to the database, which would be one more message or not

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def data_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
async def postgres_dsn(data_folder: Path) -> AsyncIterator[str]:
    # a haste that loses acknowledged commits when PostgreSQL is killed would make every oracle here a liar
    server = EmbeddedPostgres(data_folder, durable=False, settings={"synchronous_commit": "on"})
    dsn = server.start()
    try:
        connection = await asyncpg.connect(dsn)
        await connection.execute("create table pair (name text, side text)")
        await connection.close()
        yield dsn
    finally:
        server.stop()


def postmaster_in(folder: Path) -> int:
    return int(next(folder.rglob("postmaster.pid")).read_text().split()[0])


async def connected(dsn: str) -> asyncpg.Connection:
    """A connection, waiting for a killed database, which is started again without our help."""
    async with asyncio.timeout(20):
        while True:
            with suppress(OSError, asyncpg.CannotConnectNowError):
                return await asyncpg.connect(dsn)
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Wire:
    """A proxy, the database URL that leads through it, and the one that leads past it."""

    proxy: PostgresProxy
    through: str
    past: str

    async def sides(self, name: str) -> list[str]:
        """The sides of a pair that are in the database, as found past the proxy."""
        connection = await connected(self.past)
        rows = await connection.fetch("select side from pair where name = $1", name)
        await connection.close()
        return [side for (side,) in rows]


@pytest.fixture
async def wire(postgres_dsn: str) -> AsyncIterator[Wire]:
    async with proxied(postgres_dsn) as (proxy, through):
        yield Wire(proxy, through, postgres_dsn)


@pytest.fixture
async def client(wire: Wire) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(wire.through, timeout=10)
    yield connection
    connection.terminate()


class PairScenario:
    """One program writes one pair; each run has its own name, so that no run sees another's rows."""

    def __init__(self, wire: Wire, *flags: str, unit: Counted = "group", kills: Victim | None = None) -> None:
        self.wire, self.flags, self.unit, self.kills = wire, flags, unit, kills

    async def prepare(self) -> Process:
        command = (sys.executable, "-c", PROGRAM, *self.flags)
        environment = {**os.environ, "DSN": self.wire.through}
        self.process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
        )
        assert await self._hears(self.process) == "ready"
        return self.process

    def window(self) -> AbstractAsyncContextManager[Window]:
        return self.wire.proxy.window(unit=self.unit)

    async def act(self, client: Process) -> tuple[str, Ledger]:
        name, ledger = uuid.uuid4().hex, Ledger()
        ledger.asked(name, ["left", "right"])
        assert client.stdin is not None
        client.stdin.write(f"{name}\n".encode())
        if await self._hears(client) == "acknowledged":
            ledger.learned(name, Fate.ACKNOWLEDGED)
        return name, ledger

    async def victim(self) -> None:
        await (self.kills or process_group(self.process.pid))()

    async def restart(self) -> None:
        await self.process.wait()

    async def check(self, outcome: tuple[str, Ledger]) -> None:
        name, ledger = outcome
        ledger.demand({name: await self.wire.sides(name)})

    async def _hears(self, process: Process) -> str:
        assert process.stdout is not None
        return (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()


async def die_at(scenario: PairScenario, number: int, side: Side) -> tuple[Fate, list[str]]:
    """Die at a point; what the client believes, and what is there."""
    name, ledger = await visit(scenario, Point(Unit(number), side))
    return ledger.fate(name), sorted(await scenario.wire.sides(name))


@pytest.mark.parametrize(("unit", "number"), [("group", 6), ("message", 14)])
async def test_what_a_transaction_sends_is_counted_in_order(wire: Wire, unit: Counted, number: int) -> None:
    points = await enumerate_points(PairScenario(wire, unit=unit))
    units = [point.unit for point in points if point.side is Side.BEFORE]
    assert [unit.number for unit in units] == [*range(1, number + 1)]
    assert "".join(unit.kinds for unit in units) == "QPDHBESPDHBESQ"
    assert (units[0].sql, units[1].sql[:6], units[-1].sql) == ("begin", "insert", "commit")


async def test_a_death_before_the_commit_leaves_nothing(wire: Wire) -> None:
    assert await die_at(PairScenario(wire), 6, Side.BEFORE) == (Fate.UNKNOWN, [])


async def test_a_death_after_the_commit_leaves_all_of_it_though_the_victim_never_heard(wire: Wire) -> None:
    assert await die_at(PairScenario(wire), 6, Side.AFTER) == (Fate.UNKNOWN, ["left", "right"])


async def test_a_victim_that_only_loses_its_connection_is_as_ignorant_as_a_dead_one(wire: Wire) -> None:
    scenario = PairScenario(wire, kills=cut)
    assert await die_at(scenario, 6, Side.AFTER) == (Fate.UNKNOWN, ["left", "right"])
    assert scenario.process.returncode == 1  # it ended by itself, on its error


async def test_a_commit_survives_the_death_of_the_whole_database(data_folder: Path, wire: Wire) -> None:
    scenario = PairScenario(wire, kills=process_tree(postmaster_in(data_folder)))
    assert await die_at(scenario, 6, Side.AFTER) == (Fate.UNKNOWN, ["left", "right"])


@pytest.mark.faults
@pytest.mark.parametrize("unit", ["group", "message"])
async def test_one_transaction_holds_at_every_point(wire: Wire, unit: Counted) -> None:
    scenario = PairScenario(wire, unit=unit)
    points = await enumerate_points(scenario)
    await visit_all(scenario, points if unit == "group" else sample(points, share=0.3))


async def test_two_transactions_where_one_was_meant_are_found_out(wire: Wire) -> None:
    scenario = PairScenario(wire, "torn")
    points = await enumerate_points(scenario)
    with pytest.raises(AssertionError) as breach:
        await visit_all(scenario, [at for at in points if "commit; begin" in at.unit.sql])
    assert "after 4" in str(breach.value)
    assert "unknown, of ['left', 'right'] found {'left': 1}" in str(breach.value)
    assert "before 4" not in str(breach.value)


async def test_a_point_that_is_never_reached_is_no_success(wire: Wire) -> None:
    with pytest.raises(AssertionError, match="never reached"):
        await visit_all(PairScenario(wire), [Point(Unit(7), Side.BEFORE)], deadline=0.3)


async def test_up_to_a_half_of_what_is_chance_may_never_be_reached(wire: Wire) -> None:
    scenario = PairScenario(wire)
    [met, *_] = await enumerate_points(scenario, by_turn=True)
    never = Point(Unit(7, sql="what nobody says"), Side.BEFORE, turn=1)
    await visit_all(scenario, [met, never], deadline=0.3)
    with pytest.raises(AssertionError, match="never reached"):
        await visit_all(scenario, [met, never, never], deadline=0.3)


@pytest.mark.parametrize(("unit", "number"), [("message", 1), ("group", 2)])
async def test_unflushed_and_failed_ones_are_answered(wire: Wire, client: Client, unit: Counted, number: int) -> None:
    async with wire.proxy.window(unit=unit) as window:
        strike = window.kill_after(number, cut)
        with pytest.raises(CUT_OFF):
            await client.fetchval("select 1 / $1::int", 0)
    assert strike.answered


async def test_a_window_closes_once_the_server_let_go_of_the_dead(wire: Wire, client: Client) -> None:
    async with wire.proxy.window():
        client.terminate()
    assert wire.proxy.connections == set()


async def test_a_victim_dies_to_its_end_though_the_server_hung_up(wire: Wire, client: Client) -> None:
    died = asyncio.Event()

    async def victim() -> None:
        past = await asyncpg.connect(wire.past)
        await past.fetchval("select pg_terminate_backend($1, 5000)", client.get_server_pid())
        await past.close()
        died.set()

    async with wire.proxy.window() as window:
        window.kill_before(1, victim)
        with pytest.raises(CUT_OFF):
            await client.execute("select 1")
        assert await window.struck(5)
    assert died.is_set()


async def test_a_kill_of_a_tree_reaches_those_who_left_the_group() -> None:
    parent = "import subprocess as s, sys; s.run([sys.executable, '-c', sys.argv[1]], start_new_session=True)"
    command = (sys.executable, "-c", parent, "print('up', flush=True); input()")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    await process_tree(process.pid)()
    await process.wait()
    await asyncio.wait_for(process.stdout.read(), 5)  # ends when nobody holds the pipe


async def test_a_server_that_waits_for_a_lock_is_reported_and_rolled_back(wire: Wire, client: Client) -> None:
    holder = await asyncpg.connect(wire.past)
    await holder.execute("begin; select pg_advisory_xact_lock(1)")
    async with asyncio.timeout(10):
        async with wire.proxy.window() as window:
            strike = window.kill_after(1, cut, reply_deadline=0.1)
            with pytest.raises(CUT_OFF):
                await client.execute("begin; select pg_advisory_xact_lock(1)")
            assert not strike.answered
            await holder.close()
    assert wire.proxy.connections == set()


async def test_background_activity_is_told_apart_by_name_or_opening(wire: Wire, client: Client) -> None:
    web = await asyncpg.connect(wire.through, server_settings={"application_name": "web"})
    async with wire.proxy.window(watch=named("web")) as window:
        await client.execute("select 'poll'")
        await web.execute("select 'request'")
    assert [unit.sql for unit in window.units] == ["select 'request'"]
    async with wire.proxy.window(watch=lambda speech: "'poll'" not in speech.opening) as window:
        await web.execute("begin; select 'poll'")
        await web.execute("select 'still the poll'")
        await web.execute("commit")
        await web.execute("select 'request'")
    assert [unit.sql for unit in window.units] == ["select 'request'"]
    await web.close()


async def test_a_copy_passes_and_is_one_unit(wire: Wire, client: Client) -> None:
    name = uuid.uuid4().hex
    async with wire.proxy.window() as window:
        await client.copy_records_to_table("pair", records=[(name, "left")] * 5000)
    assert await wire.sides(name) == ["left"] * 5000
    assert window.units[-1].kinds.strip("d") == "c"


async def test_a_query_can_be_cancelled_through_it_uncounted(wire: Wire, client: Client) -> None:
    async with wire.proxy.window() as window:
        with pytest.raises(TimeoutError):
            await client.execute("select pg_sleep(60)", timeout=0.1)
        assert await client.fetchval("select 1", timeout=10) == 1
    assert "^" not in [unit.kinds for unit in window.units]


async def test_it_listens_in_a_folder_as_the_server_does(postgres_dsn: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with proxied(postgres_dsn, folder=Path(folder)) as (_, through):
            connection = await asyncpg.connect(through)
            assert await connection.fetchval("select 1") == 1
            await connection.close()


async def test_latency_is_paid_by_every_group(wire: Wire, client: Client) -> None:
    wire.proxy.toxics.latency, started = 0.05, time.monotonic()
    for _ in range(2):
        await client.execute("select 1")
    assert time.monotonic() - started >= 0.1


async def test_a_stalled_connection_stays_half_open(wire: Wire, client: Client) -> None:
    wire.proxy.toxics.stall = True
    # long enough for a part of the answer to leave the server at once, and the rest after the stall
    asking = asyncio.ensure_future(client.execute("select repeat('x', 20000); select pg_sleep(0.3)"))
    await asyncio.wait({asking}, timeout=0.15)
    wire.proxy.toxics.heal()
    fresh = await asyncpg.connect(wire.through, timeout=10)
    assert await fresh.fetchval("select 1") == 1
    assert await asyncio.wait({asking}, timeout=0.5) == (set(), {asking})
    await fresh.close()
    client.terminate()
    await asyncio.wait({asking})
    assert asking.exception() is not None


async def test_a_partition_holds_everything_until_it_heals(wire: Wire, client: Client) -> None:
    name, other = uuid.uuid4().hex, await asyncpg.connect(wire.through)
    async with wire.proxy.window() as window:
        asking = asyncio.ensure_future(client.execute("select pg_sleep(0.3)"))
        await window.quiet(0.1)
    wire.proxy.toxics.partition()
    writing = asyncio.ensure_future(other.execute(f"insert into pair values ('{name}')"))
    with pytest.raises(TimeoutError):
        await asyncpg.connect(wire.through, timeout=0.5)
    assert (asking.done(), writing.done(), await wire.sides(name)) == (False, False, [])
    wire.proxy.toxics.heal()
    await asyncio.wait_for(asyncio.gather(asking, writing), 10)
    await other.close()


async def test_a_reset_ends_open_connections_and_a_refusal_new_ones(wire: Wire, client: Client) -> None:
    wire.proxy.toxics.refuse = True
    wire.proxy.reset()
    with pytest.raises((*CUT_OFF, asyncpg.InterfaceError)):
        await client.execute("select 1")
    with pytest.raises(CUT_OFF):
        await asyncpg.connect(wire.through, timeout=10)
    await wire.proxy.released()
    assert wire.proxy.connections == set()


WHOLE, ABSENT = {"row mail", "row mail mail"}, {""}
HELD = [(200, WHOLE), (409, ABSENT), (503, WHOLE | ABSENT), (None, WHOLE | ABSENT)]


@pytest.mark.parametrize(("status", "held"), HELD)
def test_the_ledger_compares_what_was_said_with_what_is_there(status: int | None, held: set[str]) -> None:
    ledger = Ledger()
    ledger.asked("register", ["row"], repeatable=["mail"])
    ledger.learned("register", fate_of(status))
    cases = (*WHOLE, "", "row", "row row mail")
    assert {case for case in cases if not ledger.breaches({"register": case.split()})} == held


def test_what_was_acknowledged_once_stays_so_and_what_nobody_asked_for_is_a_breach() -> None:
    ledger = Ledger()
    ledger.asked("register", ["row"])
    ledger.learned("register", Fate.ACKNOWLEDGED)
    ledger.learned("register", Fate.REFUSED)
    with pytest.raises(AssertionError, match=r"^stranger: present"):
        ledger.demand({"register": ["row"], "stranger": ["row"]})


def test_the_same_seed_samples_the_same_points_and_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    points = [Point(Unit(number), side) for number in range(1, 16) for side in Side]
    assert sample(points, 0.2, seed=7) == sample(points, 0.2, seed=7)
    assert len(sample(points, 0.2, seed=8)) == 6
    assert sample(points, 1.0) == points
    assert "6 of 30, seed 8" in capsys.readouterr().out
