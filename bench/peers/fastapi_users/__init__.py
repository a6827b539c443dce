"""fastapi-users with SQLAlchemy, served by uvicorn: the usual way to accounts in Python."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlencode

from bench.processes import Program, start
from bench.targets import FOLDER, LOGS, POOL, Account, Installed, Person, Target
from bench.wire import Request, must

HERE = Path(__file__).resolve().parent
HOME = FOLDER / "fastapi_users"
VERSIONS = """
import json, platform
from importlib.metadata import version
names = ["fastapi-users", "fastapi", "sqlalchemy", "asyncpg", "uvicorn", "pwdlib", "argon2-cffi"]
print(json.dumps({"python": platform.python_version(), **{name: version(name) for name in names}}))
"""


class FastapiUsers(Target):
    """`GET /users/me` with a JWT: one look-up of the user by the ORM."""

    name = "fastapi_users"
    ready_path = "/openapi.json"
    registered = 201
    refused = 400

    def install(self) -> None:
        """A virtual environment from the hashed lock."""
        install_python(HOME, HERE / "requirements.txt")

    def launch(self) -> Program:
        """uvicorn with uvloop and httptools, one worker, no access log."""
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1", "--no-access-log"]
        env = {"PEER_DATABASE_URL": self.address.sqlalchemy, "PEER_POOL": str(POOL), "PEER_SECRET": "x" * 40}
        return start(
            [HOME / "bin" / "uvicorn", "app:app", "--app-dir", HERE, *options, "--log-level", "warning"],
            log=LOGS / f"{self.name}.log",
            cores=self.cores.server,
            env={"PYTHONDONTWRITEBYTECODE": "1", **env, **self.extra},
        )

    def accounts(self, count: int) -> list[Account]:
        """Register and sign in."""
        persons = [Person.new() for _ in range(count)]
        for person in persons:
            must(self.port, self.registration(person), 201)
        return [self._signed_in(person) for person in persons]

    def renewed(self, accounts: list[Account]) -> list[Account]:
        """As they are: the tokens last an hour."""
        return accounts

    def _signed_in(self, person: Person) -> Account:
        return Account(person, must(self.port, self.login(person), 200).json()["access_token"])

    def me(self, account: Account) -> Request:
        """Its `/users/me`."""
        return Request("GET", "/users/me", {"Authorization": f"Bearer {account.access}"})

    def login(self, person: Person) -> Request:
        """Its OAuth2 password form."""
        # the serial's mark must survive, so that another person can be put in its place
        body = urlencode({"username": person.email, "password": person.password}, safe="@")
        return Request("POST", "/auth/jwt/login", {"Content-Type": "application/x-www-form-urlencoded"}, body)

    def registration(self, person: Person) -> Request:
        """Its open registration."""
        fields = asdict(person)
        del fields["name"]
        return Request.json("/auth/register", fields)

    def versions(self) -> dict[str, str]:
        """Of the packages in its environment."""
        said = subprocess.run([HOME / "bin" / "python", "-c", VERSIONS], capture_output=True, text=True, check=True)
        found: dict[str, str] = json.loads(said.stdout)
        return found


def install_python(home: Path, lock: Path) -> None:
    """A virtual environment from a hashed lock."""
    installed = Installed(home, (lock,))
    if installed.current:
        return
    print(f"installing {home.name} ...", flush=True)
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--clear", home], check=True)
    pip: list[str | Path] = [
        home / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, "--require-hashes", "-r", lock], check=True)
    installed.finish()
