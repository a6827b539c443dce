"""What was revoked stays revoked: every process is killed at the very answer, and none of them remembers otherwise.

Two devices of a person and one of somebody else; one verb, or one command of an operator; then web, worker and
PostgreSQL die together and start again. All that the ended devices were ever given is refused, the rest works on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Databases, Response
from tenantry.testing.installation import PASSWORD

from .app import Program, Stage, environment, new_address, staged
from .conftest import Mortal

NEW = "seven lanterns over the harbour"
ME, REFRESH = "/v1/users/me", "/v1/auth/refresh"


@dataclass
class Device:
    """A signed-in device, with every token that it was given."""

    client: Client
    access: list[str] = field(default_factory=list)
    refresh: list[str] = field(default_factory=list)

    def keep(self, tokens: Mapping[str, Any]) -> None:
        """Take tokens, and use them from now on."""
        self.client = self.client.signed_in(tokens)
        self.access.append(tokens["access_token"])
        self.refresh.append(tokens["refresh_token"])

    async def refreshed(self) -> None:
        """Get the next tokens."""
        answer = await self.client.post(REFRESH, {"refresh_token": self.refresh[-1]})
        assert answer.status == 200, answer
        self.keep(answer.json)

    async def works(self) -> bool:
        """Whether all that is not used up is accepted; False where all that was ever given is refused."""
        seen = {await self._sees(access) for access in self.access}
        refreshed = await self.client.post(REFRESH, {"refresh_token": self.refresh[-1]})
        assert seen | {refreshed.status} in ({200}, {401}), (seen, refreshed)
        for used in self.refresh[:-1] if refreshed.status == 401 else ():
            assert (await self.client.post(REFRESH, {"refresh_token": used})).status == 401
        return refreshed.status == 200

    async def _sees(self, access: str) -> int:
        return (await self.client.get(ME, headers={"authorization": f"Bearer {access}"})).status


class House:
    """A stage whose every process may be killed, the worker and PostgreSQL too."""

    def __init__(self, stage: Stage, mortal: Mortal, folder: Path) -> None:
        self.stage, self.mortal = stage, mortal
        port = int(stage.client.origin.rpartition(":")[2])
        self.settings = environment(stage.through, folder, port)
        self.worker = Program(("worker",), self.settings, folder / "worker.log")
        self.operator = Program((), self.settings, folder / "operator.log")

    async def hire(self) -> None:
        """Start the worker, and wait until it is at work."""
        self.worker.start()
        await self.worker.says("worker started")

    async def rise(self) -> None:
        """Start everything again; PostgreSQL comes back by itself."""
        await asyncio.gather(self.stage.start(), self.hire())

    async def fall(self) -> None:
        """Kill -9 everything at once."""
        await asyncio.gather(self.mortal.kill(), self.stage.app.kill(), self.worker.kill())

    async def login(self, email: str, password: str = PASSWORD) -> Response:
        """What signing in answers."""
        return await self.stage.client.post("/v1/auth/login", {"email": email, "password": password})


@dataclass(frozen=True)
class People:
    """Two devices of a person, one of somebody else, and the token of a link that was mailed before."""

    house: House
    email: str
    mine: Device
    other: Device
    stranger: Device
    mailed: str


Verb = Callable[[People], Awaitable[Any]]
Wish = Callable[[People], Awaitable[str]]


async def no_link(_: People) -> str:
    """Ask for no link."""
    return ""


async def reset_link(people: People) -> str:
    """Ask for a link that sets a new password."""
    behind = people.house.stage.behind
    assert (await behind.client.post("/v1/auth/forgot-password", {"email": people.email})).status == 202
    return await behind.mailed_token(people.email)


async def address_link(people: People) -> str:
    """Ask for a link that proves another address."""
    behind, address = people.house.stage.behind, new_address()
    asked = await people.mine.client.post("/v1/users/me/email", {"email": address, "password": PASSWORD})
    assert asked.status == 202, asked
    return await behind.mailed_token(address)


async def logout_here(people: People) -> Response:
    return await people.mine.client.post("/v1/auth/logout", {"scope": "local"})


async def logout_by_refresh_token(people: People) -> Response:
    return await people.house.stage.client.post("/v1/auth/logout", {"refresh_token": people.mine.refresh[-1]})


async def logout_others(people: People) -> Response:
    return await people.mine.client.post("/v1/auth/logout", {"scope": "others"})


async def logout_everywhere(people: People) -> Response:
    return await people.mine.client.post("/v1/auth/logout", {"scope": "all"})


async def end_the_other(people: People) -> Response:
    page = await people.mine.client.get("/v1/users/me/sessions")
    (other,) = (item["id"] for item in page.json["items"] if not item["current"])
    return await people.mine.client.delete(f"/v1/users/me/sessions/{other}")


async def give_back_refresh_token(people: People) -> Response:
    return await people.house.stage.client.post("/v1/auth/revoke", {"token": people.other.refresh[-1]})


async def give_back_access_token(people: People) -> Response:
    return await people.house.stage.client.post("/v1/auth/revoke", {"token": people.other.access[0]})


async def reset_password(people: People) -> Response:
    body = {"token": people.mailed, "password": NEW}
    return await people.house.stage.client.post("/v1/auth/reset-password", body)


async def change_password(people: People) -> Response:
    body = {"password": PASSWORD, "new_password": NEW}
    return await people.mine.client.post("/v1/users/me/password", body)


async def confirm_address(people: People) -> Response:
    return await people.mine.client.post("/v1/users/me/email/confirmation", {"token": people.mailed})


async def close_account(people: People) -> Response:
    return await people.mine.client.post("/v1/users/me/closure", {"password": PASSWORD})


async def reuse_refresh_token(people: People) -> Response:
    return await people.house.stage.client.post(REFRESH, {"refresh_token": people.other.refresh[0]})


async def operator_revokes(people: People) -> None:
    operator = people.house.operator
    operator.words = ("tokens", "revoke", "--user", people.email)
    operator.start()
    assert await operator.ended(within=20) == 0, operator.lines()


@dataclass(frozen=True)
class Case:
    """One way to revoke: what it answers, and whether each of the person's devices stays signed in."""

    verb: Verb
    status: int
    mine: bool
    other: bool
    link: Wish = no_link
    code: str | None = None

    @property
    def answer(self) -> tuple[int, str | None]:
        """The status and the code of the verb's answer."""
        return self.status, self.code


CASES = [
    Case(logout_here, 204, mine=False, other=True),
    Case(logout_by_refresh_token, 204, mine=False, other=True),
    Case(logout_others, 204, mine=True, other=False),
    Case(logout_everywhere, 204, mine=False, other=False),
    Case(end_the_other, 204, mine=True, other=False),
    Case(give_back_refresh_token, 200, mine=True, other=False),
    Case(give_back_access_token, 200, mine=True, other=False),
    Case(reset_password, 200, mine=False, other=False, link=reset_link),
    Case(change_password, 204, mine=True, other=False),
    Case(confirm_address, 200, mine=True, other=False, link=address_link),
    Case(close_account, 200, mine=True, other=False),
    Case(reuse_refresh_token, 401, mine=True, other=False, code="refresh_reused"),
    Case(operator_revokes, 0, mine=False, other=False),
]
NEW_PASSWORD = {reset_password, change_password}


@pytest.fixture(scope="module")
async def house(mortal: Mortal, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house whose every process may be killed; the web is up."""
    folder, databases = tmp_path_factory.mktemp("restart"), Databases(mortal.url)
    await databases.prepare()
    try:
        async with staged(databases, registry, folder) as stage:
            house = House(stage, mortal, folder)
            await stage.start()
            yield house
    finally:
        await databases.forget()


@pytest.fixture
async def people(house: House, case: Case) -> AsyncIterator[People]:
    """The people of one case; the worker runs."""
    email = new_address()
    mine, other, stranger = (Device(house.stage.client) for _ in range(3))
    # while no worker runs that could take a mail from under us
    for address, device in ((email, mine), (new_address(), stranger)):
        device.keep((await house.stage.behind.person(address)).tokens)
    other.keep((await house.login(email)).json)
    # twice, so that the first token is one that no lost answer excuses
    for device in (other, other, mine):
        await device.refreshed()
    made = People(house, email, mine, other, stranger, "")
    made = replace(made, mailed=await case.link(made))
    try:
        await house.hire()
        yield made
    finally:
        await house.worker.kill()
        await house.operator.kill()


@pytest.mark.faults
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.verb.__name__)
async def test_what_was_revoked_stays_revoked_when_everything_is_killed_at_the_answer(
    house: House, people: People, case: Case
) -> None:
    answer = await case.verb(people)
    await house.fall()
    await house.rise()
    assert answer is None or (answer.status, answer.code) == case.answer, answer
    found = [await device.works() for device in (people.mine, people.other, people.stranger)]
    assert found == [case.mine, case.other, True]
    if case.verb in NEW_PASSWORD:
        assert [(await house.login(people.email, password)).status for password in (PASSWORD, NEW)] == [401, 200]
    if people.mailed:
        assert (await case.verb(people)).status in {401, 410}
