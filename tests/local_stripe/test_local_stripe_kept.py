"""What a local Stripe keeps: everything that it answered, over kill -9 too, and never something half."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from patience import until
from tenantry.testing.stripe import LocalStripe, local_stripe

SECRET = "whsec_listener"


class Process:
    """`python -m tenantry.testing.stripe`, on a folder and a port of its own."""

    def __init__(self, folder: Path, notices: str) -> None:
        self.folder, self.log, self.port = folder, folder.with_suffix(".log"), _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.words = ("--port", str(self.port), "--folder", str(folder), "--notices", notices)
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> Any:
        """Have it answer; a client of it."""
        environ = os.environ | {"TENANTRY_STRIPE_WEBHOOK_SECRETS": SECRET}
        await asyncio.to_thread(self._begin, environ)
        await until(self.answers, within=30)
        return stripe.StripeClient("sk_test_local", base_addresses={"api": self.url}, max_network_retries=0).v1

    def _begin(self, environ: dict[str, str]) -> None:
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "tenantry.testing.stripe", *self.words]
            self.process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)

    def answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def process(tmp_path: Path, listener: Any) -> Iterator[Process]:
    one = Process(tmp_path / "stripe", listener.url)
    yield one
    one.kill()


def _file(process: Process) -> Path:
    return process.folder / "state.json"


async def test_what_was_answered_is_there_after_kill_9(process: Process, listener: Any) -> None:
    listener.answers = [503] * 1000
    client = await process.start()
    options = {"idempotency_key": "key-1"}
    customer = await asyncio.to_thread(client.customers.create, {"email": "ada@example.com"}, options)
    process.kill()
    assert "customer.created" not in [one.type for one in listener.events[1:]]
    listener.answers.clear()
    heard = len(listener.events)
    client = await process.start()
    assert (await asyncio.to_thread(client.customers.retrieve, customer.id)).email == "ada@example.com"
    again = await asyncio.to_thread(client.customers.create, {"email": "ada@example.com"}, options)
    assert again.id == customer.id
    assert len((await asyncio.to_thread(client.customers.list)).data) == 1
    # the notice that nobody took waits, and is signed with the secret of now
    await until(lambda: len(listener.events) > heard)
    assert listener.events[-1].type == "customer.created"
    assert listener.events[-1].data.object["id"] == customer.id


async def test_a_process_that_is_told_to_stop_keeps_all_and_ends(process: Process) -> None:
    client = await process.start()
    product = await asyncio.to_thread(client.products.create, {"name": "Pro"})
    assert process.process is not None
    process.process.terminate()
    assert await asyncio.to_thread(process.process.wait, 10) == 0
    client = await process.start()
    assert (await asyncio.to_thread(client.products.retrieve, product.id)).name == "Pro"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: "{ nonsense",
        lambda state: state[: len(state) // 2],
        lambda state: json.dumps(json.loads(state) | {"version": 2}),
        lambda state: json.dumps(json.loads(state) | {"more": 1}),
        lambda state: state.replace('"object":"product"', '"object":"price"'),
        lambda state: json.dumps(json.loads(state) | {"agendas": {"": [[1, 1, 1, "explode", "x"]]}}),
        lambda state: json.dumps(json.loads(state) | {"kinds": {"subscription_item": {"a": _NO_PRICE}}}),
    ],
    ids=["no json", "half", "of a later version", "unknown part", "mixed up", "unknown deed", "no price"],
)
async def test_a_file_that_cannot_be_read_is_put_aside_and_it_begins_anew(tmp_path: Path, spoil, capsys) -> None:
    file = tmp_path / "state.json"
    async with local_stripe(kept_in=file) as running:
        await asyncio.to_thread(_client(running).products.create, {"name": "Pro"})
    spoilt = spoil(file.read_text())
    file.write_text(spoilt)
    anew = LocalStripe(kept_in=file)
    assert anew.began_anew
    assert not anew.books.kinds["product"]
    [aside] = await asyncio.to_thread(lambda: list(tmp_path.glob("state.unreadable-*.json")))
    assert aside.read_text() == spoilt
    said = capsys.readouterr()
    assert "cannot be read: it begins anew" in said.out + said.err
    assert str(aside) in said.out + said.err


_NO_PRICE = {"id": "a", "object": "subscription_item", "price": {"id": "price_x"}}


async def test_one_that_begins_anew_forgets_which_plans_it_had(process: Process) -> None:
    await process.start()
    await until(_file(process).exists)
    process.kill()
    digest = process.folder / "plans.digest"
    digest.write_text("of the plan file")
    await process.start()
    assert digest.exists()
    process.kill()
    _file(process).write_text("{ nonsense")
    await process.start()
    assert not digest.exists()
    assert "it begins anew" in process.log.read_text()


async def test_a_folder_has_one_local_stripe_at_a_time(process: Process) -> None:
    await process.start()
    words = [*process.words]
    words[1] = str(_free_port())
    command = [sys.executable, "-m", "tenantry.testing.stripe", *words]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert re.fullmatch(r"local Stripe: .* is in use by another local Stripe\n", done.stderr)


# in this process, to look closer


@pytest.fixture
async def kept(tmp_path: Path, listener: Any) -> AsyncIterator[Any]:
    given = {"kept_in": tmp_path / "state.json", "webhook_url": listener.url, "webhook_secret": SECRET}
    async with local_stripe(**given) as running:
        yield running


def _client(running: Any) -> Any:
    return stripe.StripeClient(running.secret_key, base_addresses={"api": running.url}, max_network_retries=0).v1


async def test_no_change_is_answered_before_it_is_in_the_file(kept: Any, tmp_path: Path) -> None:
    client = _client(kept)
    for number in range(5):
        customer = await asyncio.to_thread(client.customers.create, {"name": str(number)})
        assert customer.id in json.loads((tmp_path / "state.json").read_text())["kinds"]["customer"]


async def test_what_cannot_be_kept_is_refused_told_to_nobody_and_the_same_once_it_can(
    kept: Any, tmp_path: Path, listener: Any
) -> None:
    client, options = _client(kept), {"idempotency_key": "key-1"}
    await asyncio.to_thread(client.customers.create, {"name": "Ada"})
    await kept.stripe.deliveries.settled()
    before, in_the_way = (tmp_path / "state.json").read_text(), tmp_path / "state.new"
    in_the_way.mkdir()
    with pytest.raises(stripe.APIError, match="could not keep"):
        await asyncio.to_thread(client.customers.create, {"name": "Bea"}, options)
    assert (tmp_path / "state.json").read_text() == before or "Bea" not in (tmp_path / "state.json").read_text()
    assert [one.data.object["name"] for one in listener.events] == ["Ada"]
    in_the_way.rmdir()
    bea = await asyncio.to_thread(client.customers.create, {"name": "Bea"}, options)
    assert len((await asyncio.to_thread(client.customers.list)).data) == 2
    await until(lambda: len(listener.events) == 2)
    assert listener.events[-1].data.object["id"] == bea.id


async def test_time_modes_and_what_waits_go_on_where_they_were(kept: Any, tmp_path: Path, listener: Any) -> None:
    client, local = _client(kept), kept.stripe
    local.deliveries.switch("drop")
    lost = await asyncio.to_thread(client.customers.create, {"name": "lost"})
    local.deliveries.switch("delay")
    held = await asyncio.to_thread(client.customers.create, {"name": "held"})
    await local.advance(days=3)
    await until(lambda: '"ahead":259200' in (tmp_path / "state.json").read_text())
    again = LocalStripe(kept_in=tmp_path / "state.json")
    assert not again.began_anew
    assert again.clock.ahead == 3 * 86_400
    assert again.deliveries.mode == "delay"
    assert [one["data"]["object"]["id"] for one in again.deliveries.dropped] == [lost.id]
    assert [one["data"]["object"]["id"] for one in again.deliveries.held] == [held.id]
    # the endpoint of the start is known, and not entered a second time
    assert (
        len(LocalStripe(kept_in=tmp_path / "state.json", webhook_url=listener.url).books.kinds["webhook_endpoint"]) == 1
    )


async def test_a_subscription_is_renewed_after_a_restart(kept: Any, tmp_path: Path) -> None:
    client = _client(kept)
    product = await asyncio.to_thread(client.products.create, {"name": "Pro"})
    given = {"product": product.id, "currency": "eur", "unit_amount": 1200, "recurring": {"interval": "month"}}
    price = await asyncio.to_thread(client.prices.create, given)
    customer = await asyncio.to_thread(client.customers.create, {"name": "Ada"})
    card = await asyncio.to_thread(client.payment_methods.attach, "pm_card_visa", {"customer": customer.id})
    given = {"customer": customer.id, "items": [{"price": price.id}], "default_payment_method": card.id}
    await asyncio.to_thread(client.subscriptions.create, given)
    again = LocalStripe(kept_in=tmp_path / "state.json")
    await again.advance(days=32)
    assert [one["status"] for one in again.books.newest_first("invoice")] == ["paid", "paid"]


async def test_the_own_endpoint_moves_and_takes_its_secret_along(tmp_path: Path, listener: Any) -> None:
    async with local_stripe(kept_in=tmp_path / "state.json") as running:
        running.stripe.point("http://127.0.0.1:9/old", "whsec_of_an_earlier_start")
        running.stripe.deliveries.switch("delay")
        await asyncio.to_thread(_client(running).customers.create, {"name": "Ada"})
    async with local_stripe(kept_in=tmp_path / "state.json") as running:
        running.stripe.point(listener.url, SECRET)
        running.stripe.deliveries.release()
        # verified by the listener with the secret of now
        await until(lambda: listener.types == ["customer.created"])
        assert len(running.stripe.books.kinds["webhook_endpoint"]) == 1
