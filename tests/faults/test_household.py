"""`bin/dev`'s household: it starts from nothing, mends itself, leaves nothing behind, and shares its machine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tenantry.testing import Client

from .app import Program, environment, eventually, new_address, readiness
from .house import House, housed, logs_in, signs_up

MENDED_WITHIN = 10.0
NOBODY = 65534
AS_NOBODY = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A household on a folder of its own, not started yet."""
    return House(tmp_path / "data", tmp_path / "log")


async def test_from_an_empty_folder_a_person_signs_up_and_sigterm_leaves_nothing(house: House) -> None:
    async with housed(house) as client:
        email = new_address()
        await signs_up(client, email)
        assert await logs_in(client, email) == 200
        family = house.family()
        house.tell(signal.SIGTERM)
        assert await house.ended(within=30) == 0
        await house.gone(family, within=0.5)


@dataclass(frozen=True)
class Home:
    """A household that runs on, a client of it and a person who lives there."""

    house: House
    client: Client
    email: str


@pytest.fixture(scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    folder = tmp_path_factory.mktemp("home")
    house = House(folder / "data", folder / "log")
    async with housed(house) as client:
        email = new_address()
        await signs_up(client, email)
        yield Home(house, client, email)


@pytest.mark.faults
@pytest.mark.parametrize("victim", ["api", "web", "worker", "postmaster", "all"])
async def test_whoever_is_killed_comes_back_by_itself_and_nothing_is_lost(home: Home, victim: str) -> None:
    house, killed_at = home.house, time.monotonic()
    doomed = house.members(victim)
    assert doomed
    for pid in doomed:
        with suppress(ProcessLookupError):  # its parent's death was its own
            os.kill(pid, signal.SIGKILL)

    async def replaced() -> bool:
        return all(house.members(name) - doomed for name in ("api", "web", "worker", "postmaster"))

    async def served() -> bool:
        ready = await readiness(home.client) == 200
        return ready and await logs_in(home.client, home.email) == 200

    await eventually(replaced, MENDED_WITHIN)
    # /readyz may speak of a second ago, so a login is waited for as well
    await eventually(served, MENDED_WITHIN - (time.monotonic() - killed_at))
    print(f"{victim} killed: served again after {time.monotonic() - killed_at:.1f} s")
    await signs_up(home.client, new_address())


@pytest.mark.faults
async def test_a_killed_supervisor_takes_everything_along_and_a_second_start_has_the_data(house: House) -> None:
    email = new_address()
    async with housed(house) as client:
        await signs_up(client, email)
        family = house.family()
        house.tell(signal.SIGKILL)
        print(f"supervisor killed: all gone after {await house.gone(family, within=10):.1f} s")
    async with housed(house) as client:
        assert await logs_in(client, email) == 200


@pytest.mark.faults
async def test_an_interrupt_ends_it_as_well_and_a_second_start_has_the_data(house: House) -> None:
    email = new_address()
    async with housed(house) as client:
        await signs_up(client, email)
        family = house.family()
        # as a terminal does: to the whole group, twice by an impatient hand
        os.killpg(house.pid, signal.SIGINT)
        os.killpg(house.pid, signal.SIGINT)
        assert await house.ended(within=30) == 0
        await house.gone(family, within=0.5)
        assert not [line for line in house.lines() if "Traceback" in line]
    async with housed(house) as client:
        assert await logs_in(client, email) == 200


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["folder", "data", "worker"])
async def test_an_interrupt_before_it_is_ready_ends_it_quietly(house: House, moment: str) -> None:
    async def reached() -> bool:
        made = {"folder": house.data, "data": house.data / "postgres"}
        return made[moment].exists() if moment in made else bool(house.members(moment))

    try:
        house.start()
        await eventually(reached, within=20)
        family = house.family()
        os.killpg(house.pid, signal.SIGINT)
        assert await house.ended(within=30) == 0, house.lines()
        await house.gone(family, within=1)
    finally:
        await house.kill()
    assert not [line for line in house.lines() if "Traceback" in line]


async def refused(house: House, within: float) -> str:
    """The one sentence with which a household refuses to start."""
    house.start()
    try:
        assert await house.ended(within) == 1
    finally:
        await house.kill()
    (sentence,) = house.lines()
    return sentence


@pytest.mark.faults
async def test_a_second_one_on_the_same_folder_is_refused_and_the_first_goes_on(home: Home, tmp_path: Path) -> None:
    second = House(home.house.data, tmp_path / "log")
    second.data = tmp_path  # so that cleaning up after the second one leaves the first one alone
    assert "in use by another Tenantry" in await refused(second, within=10)
    assert await logs_in(home.client, home.email) == 200


@pytest.mark.faults
async def test_a_port_in_use_is_refused_at_once(home: Home, tmp_path: Path) -> None:
    second = House(tmp_path / "data", tmp_path / "log")
    second.words = tuple(str(home.house.port) if word == str(second.port) else word for word in second.words)
    started = time.monotonic()
    assert f"port {home.house.port}" in (await refused(second, within=10)).lower()
    print(f"port in use: refused after {time.monotonic() - started:.1f} s")
    assert await readiness(home.client) == 200


@pytest.mark.faults
async def test_serving_on_a_port_in_use_is_refused_in_one_sentence(home: Home, tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nowhere"
    settings = environment(nowhere, tmp_path, home.house.port)
    server = Program(("serve", "--port", str(home.house.port)), settings, tmp_path / "log")
    server.start()
    try:
        assert await server.ended(within=10) == 1
    finally:
        await server.kill()
    assert [f"port {home.house.port}" in line for line in server.lines()] == [True]


@pytest.mark.faults
async def test_two_live_side_by_side(home: Home, house: House) -> None:
    async with housed(house) as client:
        email = new_address()
        await signs_up(client, email)
        assert (await logs_in(client, email), await logs_in(home.client, email)) == (200, 401)


@pytest.mark.faults
async def test_a_database_of_ones_own_is_used_instead_of_an_embedded_one(house: House, database_url: str) -> None:
    house.environment["TENANTRY_DATABASE_URL"] = database_url
    async with housed(house) as client:
        await signs_up(client, new_address())
        assert not (house.data / "postgres").exists()
        family = house.family()
        house.tell(signal.SIGTERM)
        assert await house.ended(within=30) == 0
        await house.gone(family, within=0.5)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that belongs to nobody, below folders that everybody may walk through."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        shutil.chown(name, NOBODY, NOBODY)
        yield Path(name)


@pytest.fixture
def anybodys_python() -> str:
    """An interpreter of this version that every user may run with what we import."""
    for python in filter(None, (sys.executable, shutil.which("python3.11", path="/usr/bin"))):
        probe = [python, "-c", "import tenantry.assemble"]
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HOME": "/"}
        try:
            subprocess.run(probe, check=True, capture_output=True, env=path, **AS_NOBODY)  # type: ignore[call-overload]
        except (PermissionError, subprocess.CalledProcessError):
            continue
        return python
    pytest.skip("no interpreter that an ordinary user can reach")


@pytest.mark.faults
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_an_ordinary_user_can_run_it(open_folder: Path, anybodys_python: str) -> None:
    house = House(open_folder / "data", open_folder / "log")
    house.environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HOME": "/"}
    try:
        house.start(python=anybodys_python, **AS_NOBODY)
        await house.ready()
        assert {os.stat(f"/proc/{pid}").st_uid for pid in (house.pid, *house.family())} == {NOBODY}
        house.tell(signal.SIGTERM)
        assert await house.ended(within=30) == 0
    finally:
        await house.kill()
