"""Tenantry itself as a program under test, handled as an operator and a person would."""

from __future__ import annotations

import base64
import platform
import re
import secrets
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.cores import Cores
from bench.database import Postgres
from bench.processes import BenchFailed, Program, free_port, inherited, start
from bench.targets import FOLDER, LOGS, Account, Person, Target, from_somewhere
from bench.wire import Request, must

TENANTRY = Path(sys.executable).parent / "tenantry"
LINK = re.compile(r"[?&]token=([A-Za-z0-9._~-]+)")
MAIL_PATIENCE = 60.0
PEOPLE = 8
MANY = "1000000000"


class Tenantry(Target):
    """`GET /v1/users/me` with an access token, every layer on."""

    name = "tenantry"
    ready_path = "/readyz"
    registered = 202

    def __init__(self, postgres: Postgres, cores: Cores) -> None:
        super().__init__(postgres, cores)
        self.people: list[Person] = []
        self.ops = free_port()

    def install(self) -> None:
        """Only a folder to run in, away from anybody's `.env`: it is installed where the bench is."""
        FOLDER.mkdir(parents=True, exist_ok=True)

    @property
    def env(self) -> dict[str, str]:
        """Its settings: development for the mailbox; client addresses are believed, so no limit is off."""
        return {
            "TENANTRY_ENVIRONMENT": "development",
            "TENANTRY_DATABASE_URL": self.address.url,
            "TENANTRY_MASTER_KEYS": KEYS,
            "TENANTRY_TRUSTED_PROXIES": "127.0.0.0/8",
            "TENANTRY_LOG_FORMAT": "json",
            "TENANTRY_OPS_LISTEN": f"127.0.0.1:{self.ops}",
            # counted as ever, and never refused: what is measured is how fast it answers
            "TENANTRY_SOURCE_RATE": MANY,
            "TENANTRY_API_RATE": MANY,
            **self.extra,
        }

    def migrate(self) -> None:
        """Bring the database up to date, as before each start."""
        done = subprocess.run(
            [TENANTRY, "migrate"],
            env={**inherited(), **self.env},
            cwd=FOLDER,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise BenchFailed(f"tenantry migrate: {done.returncode}\n{done.stdout}{done.stderr}")

    def launch(self) -> Program:
        """Migrate, then serve with one worker."""
        self.migrate()
        return self.serve()

    def serve(self) -> Program:
        """One worker on the server's core."""
        return start(
            [TENANTRY, "serve", "--port", str(self.port), "--workers", "1"],
            log=LOGS / "tenantry.log",
            cores=self.cores.server,
            env=self.env,
            cwd=FOLDER,
        )

    def accounts(self, count: int) -> list[Account]:
        """Sign people up; a worker runs beside the server for as long as it takes to mail them."""
        worker = start(
            [TENANTRY, "worker"],
            log=LOGS / "tenantry-worker.log",
            cores=self.cores.others,
            env=self.env,
            cwd=FOLDER,
        )
        try:
            return [tenantry_account(self, Person.new()) for _ in range(count)]
        finally:
            worker.stop()

    def renewed(self, accounts: list[Account]) -> list[Account]:
        """Fresh access tokens, as these live for minutes."""
        return [signed_in(one.person, must(self.port, self.refresh(one), 200).json()) for one in accounts]

    def me(self, account: Account) -> Request:
        """Its own row, by a token."""
        return Request("GET", "/v1/users/me", {"Authorization": f"Bearer {account.access}"})

    def login(self, person: Person) -> Request:
        """Sign in with a password."""
        return Request.json("/v1/auth/login", {"email": person.email, "password": person.password}, from_somewhere())

    def refresh(self, account: Account) -> Request:
        """Swap the refresh token for the next."""
        return Request.json("/v1/auth/refresh", {"refresh_token": account.refresh}, from_somewhere())

    def sessions(self, count: int) -> list[Account]:
        """New sessions of people who are signed up once."""
        if not self.people:
            self.people = [account.person for account in self.accounts(min(count, PEOPLE))]
        chosen = [self.people[number % len(self.people)] for number in range(count)]
        return [signed_in(person, must(self.port, self.login(person), 200).json()) for person in chosen]

    def registration(self, person: Person) -> Request:
        """Ask to join."""
        body = {"email": person.email, "password": person.password, "name": person.name}
        return Request.json("/v1/auth/register", body, from_somewhere())

    def versions(self) -> dict[str, str]:
        """Of Tenantry and what it stands on."""
        names = ("tenantry", "litestar", "granian", "asyncpg", "msgspec", "argon2-cffi")
        return {"python": platform.python_version(), **{name: version(name) for name in names}}


KEYS = f"dev:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def tenantry_account(target: Tenantry, person: Person) -> Account:
    """The whole way in: register, read the mail, redeem its link."""
    asked = must(target.port, target.registration(person), 202).json()
    body = {"token": mailed_token(target, person), "registration": asked["registration"]}
    proven = must(target.port, Request.json("/v1/auth/verify-email", body, from_somewhere()), 200)
    return signed_in(person, proven.json())


def mailed_token(target: Tenantry, person: Person) -> str:
    """The token of the newest mail to this person, once it has arrived."""
    deadline = time.monotonic() + MAIL_PATIENCE
    while time.monotonic() < deadline:
        mails = must(target.port, Request("GET", "/dev/mail.json"), 200).json()["items"]
        for mail in mails:
            if person.email in str(mail["to"]) and (found := LINK.search(mail["text"])):
                return found[1]
        time.sleep(0.05)
    raise BenchFailed(f"no mail for {person.email}\n{target.program.tail()}")


def signed_in(person: Person, tokens: dict[str, Any]) -> Account:
    """An account from an answer with tokens."""
    return Account(person, tokens["access_token"], tokens["refresh_token"])
