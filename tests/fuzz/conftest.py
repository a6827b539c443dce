"""What the fuzzing needs: a house that counts its own answers, people in it, and credentials that are good."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from tenantry.accounts.exchanges import VERIFY
from tenantry.entrypoints.http.arrival import Arrival
from tenantry.entrypoints.http.witness import Witness
from tenantry.foundation.data.ids import SESSION_ID
from tenantry.foundation.domain import Registry
from tenantry.testing import Client, Databases, Installation, Response, installed
from tenantry.testing.installation import PASSWORD

PATIENCE = 20


class Tally(Witness):
    """Counts what the house itself says it answered, probes of the checks included."""

    def __init__(self) -> None:
        super().__init__(lines=False)
        self.answers: Counter[tuple[str, str, int]] = Counter()
        self.failures: list[str] = []

    def saw(self, arrival: Arrival, status: int, started: float) -> None:
        self.answers[arrival.method, arrival.route, status] += 1
        if status >= 500:
            self.failures.append(f"{arrival.method} {arrival.route}: {status} {arrival.failure or arrival.problem!r}")
        super().saw(arrival, status, started)


class Pocket:
    """What a client brings along, good for one request each: it makes valid input more than well-formed."""

    def __init__(self, house: Installation, person: Client, loop: asyncio.AbstractEventLoop) -> None:
        self._house, self._person, self._loop = house, person, loop
        self._numbers = itertools.count(1)
        self._fitting: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "accounts.register": lambda _: {"email": self._address(), "password": PASSWORD},
            "accounts.verify_email": self._proofs,
            "accounts.resend": lambda _: {"email": self._person.email},
            "accounts.login": lambda _: {"email": self._person.email, "password": PASSWORD},
            "accounts.refresh": lambda _: {"refresh_token": self.sign_in()["refresh_token"]},
            "accounts.logout": lambda _: {"refresh_token": self.sign_in()["refresh_token"]},
            "accounts.change_me": lambda body: {"timezone": "Europe/London"} if "timezone" in body else {},
        }

    def sign_in(self) -> dict[str, Any]:
        """Tokens of a new device, so that a request that signs out spoils no other."""
        answer = self._post("/v1/auth/login", {"email": self._person.email, "password": PASSWORD})
        assert answer.status == 200, answer
        return dict(answer.json)

    def fitting(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Members that turn a well-formed body into one that the house has a reason to accept."""
        return self._fitting[operation](body) if operation in self._fitting else {}

    def path(self, operation: str) -> dict[str, str]:
        """Ids in an operation's path that name something of the person's."""
        if operation != "accounts.end_session":
            return {}
        claim = self._house.runtime.refresh.read(self.sign_in()["refresh_token"])
        return {"session": SESSION_ID.text(claim.session)}

    def _address(self) -> str:
        return f"fuzz{next(self._numbers)}@example.com"

    def _proofs(self, body: Mapping[str, Any]) -> dict[str, Any]:
        person = {"email": self._address(), "password": PASSWORD, "name": "Fuzz"}
        proof = self._post("/v1/auth/register", person).json["registration"]
        one_time = self._house.runtime.one_time
        token = one_time.issue(VERIFY, one_time.read(proof), 0)
        shown = {"password": PASSWORD} if body.get("password") is not None else {"registration": proof}
        return {"token": token} | shown

    def _post(self, path: str, body: Mapping[str, Any]) -> Response:
        asking = self._house.client.post(path, body)
        return asyncio.run_coroutine_threadsafe(asking, self._loop).result(PATIENCE)


@pytest.fixture(scope="module")
def seed() -> int:
    """What is drawn is always the same; TENANTRY_TEST_SEED draws something else."""
    return int(os.environ.get("TENANTRY_TEST_SEED", "20260102"))


@pytest.fixture(scope="module")
def tally() -> Tally:
    """Every answer of the house."""
    return Tally()


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tally: Tally, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """The installation that is fuzzed, with cheap password hashes."""
    folder = tmp_path_factory.mktemp("fuzzed")
    async with databases.fresh() as url, installed(url, folder, registry=registry, witness=tally) as running:
        yield running
