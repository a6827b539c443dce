"""`bin/dev`'s local Stripe: there from the start with the plans in it, and as it was after whatever died."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import stripe

from tenantry.entrypoints.dev.environment import DEMO_PLANS, development_environment
from tenantry.entrypoints.dev.local_stripe import FROM_API, OF_STRIPE, local_stripe_in
from tenantry.plans.settings import read_catalogue
from tenantry.settings import read_settings
from tenantry.testing import Client

from .app import asked, eventually, free_port
from .house import House, housed, processes

SYNCED_WITHIN = 30.0


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A household on a folder of its own, not started yet."""
    return House(tmp_path / "data", tmp_path / "log")


def _folder(house: House) -> Path:
    return house.data / "stripe"


def _stripes(house: House) -> set[int]:
    known = processes()
    return {pid for pid in house.family() if " -m tenantry.testing.stripe " in known.get(pid, (0, ""))[1]}


async def _page(client: Client) -> str | None:
    answer = await asked(client.get("/dev/stripe"))
    return answer.headers.get("location") if answer and answer.status == 307 else None


async def _speaks(house: House) -> Any:
    """A client of its local Stripe, once that answers."""
    port = int((_folder(house) / "port").read_text())

    async def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    await eventually(answers, within=20)
    return stripe.StripeClient("sk_test_local", base_addresses={"api": f"http://127.0.0.1:{port}"}).v1


def _digest(plans: Path) -> str:
    return sha256(plans.read_bytes()).hexdigest()


async def _synced(house: House, plans: Path = DEMO_PLANS) -> None:
    known, wanted = _folder(house) / "plans.digest", _digest(plans)

    async def digested() -> bool:
        return known.exists() and known.read_text() == wanted

    await eventually(digested, SYNCED_WITHIN)


async def test_the_plans_are_in_a_local_stripe_that_outlives_kill_9(house: House) -> None:
    async with housed(house) as client:
        page = await _page(client)
        await _synced(house)
        there = await _speaks(house)
        prices = (await asyncio.to_thread(there.prices.list, {"limit": 100})).data
        assert sorted(one.unit_amount for one in prices) == [1200, 9900, 12000, 99000]
        ada = await asyncio.to_thread(there.customers.create, {"name": "Ada"})
        [before] = _stripes(house)
        os.kill(before, signal.SIGKILL)

        async def replaced() -> bool:
            return bool(_stripes(house) - {before})

        await eventually(replaced, within=10)
        there = await _speaks(house)
        assert (await asyncio.to_thread(there.customers.retrieve, ada.id)).name == "Ada"
        family = house.family()
        house.tell(signal.SIGKILL)
        await house.gone(family, within=10)
    async with housed(house) as client:
        there = await _speaks(house)
        assert (await asyncio.to_thread(there.customers.retrieve, ada.id)).name == "Ada"
        assert len((await asyncio.to_thread(there.prices.list, {"limit": 100})).data) == 4
        # links that were mailed or kept lead there still
        assert page is not None
        assert await _page(client) == page
        family = house.family()
        house.tell(signal.SIGTERM)
        assert await house.ended(within=30) == 0
        await house.gone(family, within=0.5)


@pytest.mark.faults
async def test_a_plan_file_that_changed_is_put_into_it_and_one_that_was_lost_again(house: House) -> None:
    plans = house.data.parent / "plans.toml"
    house.environment["TENANTRY_PLAN_FILE"] = str(plans)
    text = DEMO_PLANS.read_text()
    for amount, spoil in ((9900, False), (9800, False), (9800, True)):
        plans.write_text(text.replace("amount = 9900,", f"amount = {amount},"))
        if spoil:
            (_folder(house) / "state.json").write_text("{ nonsense")
        async with housed(house):
            await _synced(house, plans)
            there = await _speaks(house)
            found = (await asyncio.to_thread(there.prices.list, {"limit": 100, "active": True})).data
            assert amount in [one.unit_amount for one in found]
            house.tell(signal.SIGTERM)
            assert await house.ended(within=30) == 0


@pytest.mark.faults
async def test_whoever_says_which_stripe_to_use_gets_no_other(house: House) -> None:
    house.environment["TENANTRY_STRIPE_SECRET_KEY"] = ""
    async with housed(house) as client:
        assert await _page(client) is None
        assert not _stripes(house)
        assert not _folder(house).exists()


# without processes


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which nobody has set anything, neither in the environment nor in `.env`."""
    for name in [name for name in os.environ if name.startswith("TENANTRY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_its_port_and_secret_are_remembered(data: Path) -> None:
    port = free_port()
    first = local_stripe_in(data, api_port=port)
    assert first is not None
    assert first.port == port + FROM_API
    assert local_stripe_in(data, api_port=port) == first
    moved = local_stripe_in(data, api_port=port + 1)
    assert moved is not None
    assert (moved.port, moved.webhook_secret) == (first.port, first.webhook_secret)
    assert f"://127.0.0.1:{port + 1}/v1/stripe/webhook" in " ".join(moved.command(1))
    assert {file.stat().st_mode & 0o077 for file in (data / "stripe").iterdir()} == {0}


def test_a_port_that_somebody_else_has_is_not_waited_for_for_ever(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantry.entrypoints.dev.local_stripe.PATIENCE", 0.1)
    port = free_port()
    first = local_stripe_in(data, api_port=port)
    assert first is not None
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", first.port))
        taken.listen()
        second = local_stripe_in(data, api_port=port)
        assert second is not None
        assert second.port not in (first.port, port)
    # nor is the port of the API taken, when that moved to where it was
    third = local_stripe_in(data, api_port=second.port)
    assert third is not None
    assert third.port != second.port


@pytest.mark.parametrize("name", [*OF_STRIPE, "TENANTRY_STRIPE_SECRET_KEY_FILE"])
@pytest.mark.parametrize("where", ["environment", ".env"])
def test_there_is_none_where_somebody_said_which_stripe_to_use(
    data: Path, monkeypatch: pytest.MonkeyPatch, name: str, where: str
) -> None:
    if where == "environment":
        monkeypatch.setenv(name, "")
    else:
        (data / ".env").write_text(f"{name}=something\n")
    assert local_stripe_in(data, api_port=8000) is None
    assert not (data / "stripe").exists()


def test_its_variables_are_good_settings_and_so_are_the_demo_plans(data: Path, registry: Any) -> None:
    local = local_stripe_in(data, api_port=free_port())
    environment = development_environment(
        data, port=8000, database_url="postgresql://nobody@127.0.0.1:1/x", stripe=local
    )
    reading = read_settings(registry.sections, environ=environment, dotenv=None)
    assert not [name for name in reading.unknown if name in environment]
    catalogue = read_catalogue(environment["TENANTRY_PLAN_FILE"])
    assert not list(catalogue.faults())
    assert [plan.key for plan in catalogue.plans] == ["free", "team", "business"]


def test_a_plan_file_of_ones_own_is_used(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://nobody@127.0.0.1:1/x"
    assert development_environment(data, port=8000, database_url=url)["TENANTRY_PLAN_FILE"] == str(DEMO_PLANS)
    (data / ".env").write_text("TENANTRY_PLAN_FILE=plans.toml\n")
    assert "TENANTRY_PLAN_FILE" not in development_environment(data, port=8000, database_url=url)
    monkeypatch.setenv("TENANTRY_PLAN_FILE", "")
    assert development_environment(data, port=8000, database_url=url)["TENANTRY_PLAN_FILE"] == ""
