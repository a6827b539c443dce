"""A development household as a process: `python -m tenantry dev`, its family of processes, and what it holds."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tenantry.foundation.data.embedded.leftovers import running_on
from tenantry.testing import Client, Response
from tenantry.testing.installation import PASSWORD

from .app import LOOK_AGAIN, PATIENCE, Program, asked, eventually, free_port, port_is_free, speaking

TOKEN = re.compile(r"[?&]token=([A-Za-z0-9._-]+)")
STARTED_WITHIN = 60.0


def processes() -> dict[int, tuple[int, str]]:
    """Every living process: its parent and its command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError, FileNotFoundError, PermissionError):  # it ended while we read
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if state not in "ZX":
                found[int(folder.name)] = (int(parent), words)
    return found


class House(Program):
    """One household; its name of a member is how tests say whom they kill."""

    def __init__(self, data: Path, log: Path, *more: str, **settings: str) -> None:
        self.data, self.port = data, free_port()
        words = ("dev", "--port", str(self.port), "--data", str(data), "--no-seed", *more)
        super().__init__(words, settings, log)

    @property
    def ready_line(self) -> str:
        return f"ready http://127.0.0.1:{self.port}"

    async def ready(self) -> None:
        """Wait until it has said so; one that ends instead has failed."""

        async def said() -> bool:
            assert self.running, "\n".join(self.lines()[-30:])
            return self.ready_line in self.lines()

        await eventually(said, STARTED_WITHIN)

    def family(self) -> set[int]:
        """Every process that descends from the supervisor."""
        known, members = processes(), {self.pid}
        while young := {pid for pid, (parent, _) in known.items() if parent in members} - members:
            members |= young
        return members - {self.pid}

    def members(self, name: str) -> set[int]:
        """`api`, its `web` processes, `worker`, `postmaster`, or `all` of them."""
        known, family = processes(), self.family()
        if name == "all":
            return family
        if name == "postmaster":
            return {pid for pid in family if "/postgres -D " in known.get(pid, (0, ""))[1]}
        words = " worker --supervisor" if name == "worker" else " serve --supervisor"
        speaking = {pid for pid in family if words in known.get(pid, (0, ""))[1]}
        elders = {pid for pid in speaking if known[pid][0] == self.pid}
        # granian's web processes are forks of the api's parent and carry its command line
        return {pid for pid in speaking if known[pid][0] in elders} if name == "web" else elders

    async def gone(self, family: set[int], within: float) -> float:
        """Wait until nothing of it is left, nor anybody at its port and its data."""

        async def nothing() -> bool:
            data = self.data / "postgres"
            left = family & processes().keys() | (running_on(data) if data.exists() else set())
            return not left and port_is_free(self.port)

        return await eventually(nothing, within)

    async def kill(self) -> None:
        """Kill -9 whatever is left of it."""
        if self.process is None:
            return
        family = self.family() if self.running else set()
        if (self.data / "postgres").exists():
            family |= running_on(self.data / "postgres")
        for pid in (self.pid, *family):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@asynccontextmanager
async def housed(house: House) -> AsyncIterator[Client]:
    """A household that is ready, and a client of it; nothing of it is left afterwards."""
    try:
        house.start()
        await house.ready()
        async with speaking(f"http://127.0.0.1:{house.port}") as client:
            yield client
    finally:
        await house.kill()


async def signs_up(client: Client, email: str) -> Response:
    """A person registers, reads their mail and verifies; the answer to that."""
    body = {"email": email, "password": PASSWORD, "name": "Ada Lovelace"}
    registered = await client.post("/v1/auth/register", body)
    assert registered.status == 202, registered
    proof = {"registration": registered.json["registration"], "token": await _mailed(client, email)}
    verified = await client.post("/v1/auth/verify-email", proof)
    assert verified.status == 200, verified
    return verified


async def _mailed(client: Client, email: str) -> str:
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await asked(client.get("/dev/mail.json"))
            for mail in answer.json["items"] if answer and answer.status == 200 else ():
                if mail["to"] == email and (found := TOKEN.search(mail["text"])):
                    return found.group(1)
            await asyncio.sleep(LOOK_AGAIN)


async def logs_in(client: Client, email: str) -> int | None:
    """The status of a login with the right password."""
    answer = await asked(client.post("/v1/auth/login", {"email": email, "password": PASSWORD}))
    return None if answer is None else answer.status
