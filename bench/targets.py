"""What a program under test is to a bench: how it starts, who is signed up, what its requests look like."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from bench.cores import Cores
from bench.database import Postgres
from bench.load import ROOT, Meter
from bench.processes import Program, free_port, wait_until
from bench.wire import ADDRESS, SERIAL, Request, answers

FOLDER = ROOT / ".tenantry" / "bench"
LOGS = FOLDER / "logs"
POOL = 16  # connections to PostgreSQL, the same for each


@dataclass(frozen=True)
class Person:
    """Someone with an account."""

    email: str
    password: str
    name: str = "Ada Bench"

    @classmethod
    def new(cls) -> Person:
        """Someone nobody has met."""
        return cls(f"ada.{secrets.token_hex(8)}@example.com", f"walnut-harbour-{secrets.token_hex(6)}")

    @classmethod
    def serial(cls) -> Person:
        """Another person each time a request is sent."""
        return cls(f"ada.{SERIAL}@example.com", f"walnut-harbour-{SERIAL}")


@dataclass
class Account:
    """A person who is signed in: `access` goes with each request, `refresh` buys the next one."""

    person: Person
    access: str
    refresh: str = ""


class Target(ABC):
    """One program under test, at most one running at a time."""

    name: str
    ready_path: str

    def __init__(self, postgres: Postgres, cores: Cores) -> None:
        self.postgres, self.cores = postgres, cores
        self.port = free_port()
        self.address = postgres.fresh(self.name)
        self.running: Program | None = None
        self.extra: dict[str, str] = {}

    @abstractmethod
    def install(self) -> None:
        """Make its environment, once."""

    @abstractmethod
    def launch(self) -> Program:
        """Start its server, pinned to the server's core."""

    @abstractmethod
    def accounts(self, count: int) -> list[Account]:
        """Sign people up through its own HTTP."""

    @abstractmethod
    def renewed(self, accounts: list[Account]) -> list[Account]:
        """The same accounts with credentials that outlive the next round."""

    @abstractmethod
    def me(self, account: Account) -> Request:
        """Who am I."""

    @abstractmethod
    def login(self, person: Person) -> Request:
        """Sign in with a password."""

    @abstractmethod
    def registration(self, person: Person) -> Request:
        """Ask for an account."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """What was compared."""

    registered: int = 200
    refused: int = 401

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.port = free_port()
        self.running = self.launch()
        wait_until(self.ready, self.running, seconds=60, what=f"{self.name} starts")

    def ready(self) -> bool:
        """Whether it answers by now."""
        return answers(self.port, self.ready_path)

    def stop(self) -> None:
        """Stop the server, if it runs."""
        if self.running:
            self.running.stop()
        self.running = None

    def meter(self) -> Meter:
        """CPU seconds so far: the server's, PostgreSQL's."""
        program = self.program
        return lambda: (program.cpu_seconds(), self.postgres.cpu_seconds())

    @property
    def program(self) -> Program:
        """The running server."""
        assert self.running, f"{self.name} does not run"
        return self.running


def from_somewhere() -> dict[str, str]:
    """A header that makes each request come from another client, for servers behind a trusted proxy."""
    return {"X-Forwarded-For": ADDRESS}


@dataclass
class Installed:
    """An environment below `.tenantry/bench/`, made anew when its lock changes."""

    folder: Path
    locks: tuple[Path, ...]
    made: Path = field(init=False)

    def __post_init__(self) -> None:
        self.made = self.folder / ".made-from"

    @property
    def current(self) -> bool:
        """Whether it was made from these locks."""
        return self.made.exists() and self.made.read_text() == self._text()

    def finish(self) -> None:
        """Remember what it was made from."""
        self.made.write_text(self._text())

    def _text(self) -> str:
        return "".join(lock.read_text() for lock in self.locks)
