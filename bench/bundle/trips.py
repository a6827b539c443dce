"""How often each operation asks the database and waits for the answer, by the verbs that it runs.

A person's requests go through real HTTP to a server in this process; each verb is wrapped, as a plugin would, to note
that it ran. A transaction is opened, asked in and committed: three is the least for one that changes something.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.bundle.journey import journey
from bench.processes import BenchFailed
from bench.product.domain import domain
from bench.report import table
from bench.spy import Spy, spying
from bench.subject import Tenantry
from bench.targets import POOL
from tenantry.assemble import DOMAINS
from tenantry.foundation import housekeeping
from tenantry.foundation.action import every_verb
from tenantry.foundation.around import Wrap
from tenantry.foundation.domain import Registry
from tenantry.foundation.logs import configure_logs
from tenantry.testing import Client, Response, installed

ID = re.compile(r"/(org|usr|inv|ses|key)_[A-Za-z0-9]+")
COUNTED = ("accounts.", "orgs.")


class Ledger:
    """What each operation asked, in the order of the journey."""

    def __init__(self, spy: Spy) -> None:
        self.spy = spy
        self.ran: list[str] = []
        self.lines: dict[str, tuple[list[str], int]] = {}

    async def ask(self, client: Client, method: str, path: str, body: Any = None, **rest: Any) -> Response:
        """Send a request that is granted, and count what it asked of the database."""
        before, verbs = self.spy.awaited, len(self.ran)
        answer = await client.request(method, path, body=body, **rest)
        if answer.status >= 400:
            raise BenchFailed(f"{method} {path}: {answer.status} {answer.body.decode()}")
        ran = list(dict.fromkeys(self.ran[verbs:]))
        self.lines[f"{method} {ID.sub(_role, path)}"] = (ran, self.spy.awaited - before)
        return answer

    def table(self) -> str:
        """For the terminal."""
        head = ["operation", "round trips", "verbs that ran"]
        rows = [[name, str(asked), ", ".join(verbs)] for name, (verbs, asked) in self.lines.items()]
        return table([head, *rows, ["never asked for by a person here", "", ", ".join(sorted(self.unseen()))]])

    def unseen(self) -> set[str]:
        """The verbs that no operation of the journey ran: jobs', the operator's, and refusals."""
        return {verb.name for verb in _verbs().values()} - set(self.ran)

    def document(self) -> Mapping[str, Any]:
        """For the results."""
        return {name: {"round_trips": asked, "verbs": verbs} for name, (verbs, asked) in self.lines.items()}


async def trips(target: Tenantry) -> tuple[str, Mapping[str, Any]]:
    """Go through a person's operations; the table, and the same as a document."""
    configure_logs(level="warning", form="console")
    with spying() as spy, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ledger = Ledger(spy)
        wraps = tuple(_noting(ledger, key, verb) for key, verb in _verbs().items())
        noting = msgspec.structs.replace(domain, around=wraps)
        registry = Registry((*DOMAINS, noting), jobs=housekeeping)
        environ = {"TENANTRY_DATABASE_POOL": str(POOL), "TENANTRY_RATE_LIMITS": "on"}
        async with installed(target.address.url, Path(folder), registry=registry, environ=environ) as house:
            await journey(house, ledger.ask)
    return ledger.table(), ledger.document()


def _role(found: re.Match[str]) -> str:
    return f"/{{{found[1]}}}"


def _verbs() -> dict[str, Any]:
    return {key: verb for key, verb in every_verb() if verb.name.startswith(COUNTED)}


def _noting(ledger: Ledger, key: str, verb: Any) -> Wrap:
    async def noting(subject: Any) -> AsyncGenerator[None, Any]:
        ledger.ran.append(verb.name)
        yield

    return Wrap(verb=key, function=noting, takes={})
