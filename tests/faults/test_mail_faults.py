"""The worker dies around a mail: it arrives at least once, at most twice, and as the same mail."""

from __future__ import annotations

import asyncio
import email
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from .app import Program, Stage, environment, eventually, new_address

TOKEN = re.compile(r"[?&]token=3?D?([A-Za-z0-9._-]+)")
LEASE_ENDS = "update tenantry.job_runs set leased_until = tenantry.tick() - interval '1 second' returning id"
# what the house asks itself for at a tick is no mail
LEFT = """
    with planned as (select kind from tenantry.job_schedules)
    select (select count(*) from tenantry.jobs where kind not in (select kind from planned)),
           (select count(*) from tenantry.job_runs where kind not in (select kind from planned))
"""
Deed = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Do nothing."""


class PostOffice:
    """A mail server that does a deed at one step of one delivery, before it answers that step."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.step, self.done = "", asyncio.Event()
        self.deed: Deed = nothing

    def once_at(self, step: str, deed: Deed) -> None:
        """Do this when a client has come so far."""
        self.step, self.deed, self.done = step, deed, asyncio.Event()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        await self._at("addressed")
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if await self._at("handed over"):
            return "451 not now"
        self.taken.append(envelope.content)
        await self._at("accepted")
        return "250 ok"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        await self._at("told")
        return "221 bye"

    async def _at(self, step: str) -> bool:
        if step != self.step or self.done.is_set():
            return False
        self.done.set()
        await self.deed()
        return True


@asynccontextmanager
async def open_office() -> AsyncIterator[tuple[PostOffice, str]]:
    """A post office, and the URL of its door."""
    office = PostOffice()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(office), "127.0.0.1", 0)
    try:
        yield office, f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@asynccontextmanager
async def working(stage: Stage, folder: Path, post: str) -> AsyncIterator[Program]:
    """A worker that mails through an office; nothing of it is left afterwards."""
    settings = environment(stage.past, folder, 1, TENANTRY_SMTP_URL=post, TENANTRY_MAIL_FROM="house@example.com")
    worker = Program(("worker",), settings | {"TENANTRY_PUBLIC_URL": stage.client.origin}, folder / "worker.log")
    worker.start()
    try:
        yield worker
    finally:
        await worker.kill()


async def idle(stage: Stage) -> bool:
    """Whether no job waits and none runs."""
    ((waiting, running),) = await stage.rows(LEFT)
    return bool(waiting == running == 0)


def message_id(mail: bytes) -> str:
    return str(email.message_from_bytes(mail)["Message-ID"])


def link_token(mail: bytes) -> str:
    parts = [part for part in email.message_from_bytes(mail).walk() if part.get_content_type() == "text/plain"]
    text = parts[0].get_payload(decode=True)
    assert isinstance(text, bytes)
    found = TOKEN.search(text.decode())
    assert found
    return found.group(1)


@pytest.mark.faults
@pytest.mark.parametrize(("step", "times"), [("addressed", 1), ("handed over", 1), ("accepted", 2), ("told", 2)])
async def test_a_worker_killed_around_a_mail_sends_it_again_and_as_the_same_mail(
    stage: Stage, tmp_path: Path, step: str, times: int
) -> None:
    async with open_office() as (office, post), working(stage, tmp_path, post) as worker:
        office.once_at(step, worker.kill)
        address = new_address()
        registration = await stage.behind.register(address)
        await asyncio.wait_for(office.done.wait(), 20)
        await worker.ended(within=5)
        # how long a lease is left to the dead is the queue's own test; here its end is brought forward
        assert len(await stage.rows(LEASE_ENDS)) == 1
        worker.start()
        await eventually(lambda: idle(stage), within=30)
    assert len(office.taken) == times
    assert len({(message_id(mail), link_token(mail)) for mail in office.taken}) == 1
    proofs = {"token": link_token(office.taken[0]), "registration": registration}
    assert (await stage.behind.client.post("/v1/auth/verify-email", proofs)).status == 200


@pytest.mark.faults
async def test_a_worker_told_to_stop_gives_its_job_back_at_once(stage: Stage, tmp_path: Path) -> None:
    stuck = asyncio.Event()

    async def stall() -> None:
        await stuck.wait()

    async with open_office() as (office, post), working(stage, tmp_path, post) as worker:
        office.once_at("handed over", stall)
        await stage.behind.register(new_address())
        await asyncio.wait_for(office.done.wait(), 20)
        worker.tell(signal.SIGTERM)
        assert await worker.ended(within=30) == 0
        assert [tuple(row) for row in await stage.rows(LEFT)] == [(1, 0)]
        stuck.set()


@pytest.mark.faults
async def test_a_post_office_that_is_down_delays_mails_and_nothing_else(stage: Stage, tmp_path: Path) -> None:
    async with open_office() as (office, post):
        pass  # nobody listens there any more
    async with working(stage, tmp_path, post) as worker:
        await worker.says("worker started")
        await stage.behind.register(new_address())

        async def tried() -> bool:
            return bool(await stage.value("select count(*) from tenantry.jobs where attempt > 0"))

        await eventually(tried, within=20)
        assert (await stage.behind.client.get("/readyz")).status == 200
        worker.tell(signal.SIGTERM)
        assert await worker.ended(within=10) == 0
    assert office.taken == []
