"""A developer's household: PostgreSQL, API, worker and a local Stripe in one folder, started, kept up, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from tenantry.entrypoints.dev.child import Child
from tenantry.entrypoints.dev.environment import development_environment
from tenantry.entrypoints.dev.local_stripe import LocalStripe, local_stripe_in
from tenantry.entrypoints.dev.selling import PlanSync
from tenantry.entrypoints.port import PortTaken, refuse_taken_port
from tenantry.foundation.data import migrations
from tenantry.foundation.data.embedded import EmbeddedPostgres
from tenantry.settings import plugins_named

READY_WITHIN = 60.0
# an organization of a large demo takes a few milliseconds, on a busy machine some more
PATIENCE_AN_ORG = 0.1
# all of it is to be gone within 30 seconds, and PostgreSQL stops last
DRAIN = 27.0
# whoever held the port may have been killed a moment ago
PORT_PATIENCE = 2.0
LOOK_EVERY = 0.05
# what is for sale is there when it says `ready`; should that take very long, it is not waited for
SALE_PATIENCE = 30.0
COMMAND = (sys.executable, "-m", "tenantry")


class NotStarted(Exception):
    """The household cannot start; the sentence says why."""


class Household:
    """One folder's processes."""

    def __init__(self, data: Path, *, port: int, workers: int, seed: bool, scale: int | None = None) -> None:
        self._data = data.absolute()
        self._port = port
        self._workers = workers
        self._seed = seed
        self._scale = scale
        self._stopping = False
        self._children: list[Child] = []
        self._needed: list[Child] = []
        self._stripe: LocalStripe | None = None
        self._sync: PlanSync | None = None

    def run(self) -> int:
        """Start everything, say `ready`, keep it up until told to stop."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._wait_for_port()
        server = None if os.environ.get("TENANTRY_DATABASE_URL") else EmbeddedPostgres(self._data)
        try:
            url = server.start() if server else os.environ["TENANTRY_DATABASE_URL"]
            if not self._stopping:
                self._live(url)
        finally:
            self._stop_children()
            if server:
                server.stop()
        return 0

    def _live(self, database_url: str) -> None:
        stripe = local_stripe_in(self._data, api_port=self._port)
        environment = development_environment(self._data, port=self._port, database_url=database_url, stripe=stripe)
        if stripe is not None:
            # first, as it imports what it needs while the database is migrated
            self._begin_stripe(stripe, environment)
        self._migrate(environment)
        self._sync = PlanSync(stripe, environment) if stripe is not None else None
        self._keep_up()
        self._start(environment)
        self._plant(environment)
        self._wait_until_ready()
        if not self._stopping:
            sys.stdout.write(f"ready http://127.0.0.1:{self._port}\n")
            sys.stdout.flush()
        while not self._stopping:
            self._keep_up()
            time.sleep(LOOK_EVERY)

    def _begin_stripe(self, stripe: LocalStripe, environment: dict[str, str]) -> None:
        self._stripe = stripe
        self._begin(Child("local Stripe", stripe.command(os.getpid()), environment))

    def _start(self, environment: dict[str, str]) -> None:
        supervised = ("--supervisor", str(os.getpid()))
        serve = (
            *COMMAND,
            "serve",
            *supervised,
            "--port",
            str(self._port),
            "--workers",
            str(self._workers),
        )
        self._needed = [
            Child("api", serve, environment),
            Child("worker", (*COMMAND, "worker", *supervised), environment),
        ]
        for child in self._needed:
            self._begin(child)

    def _begin(self, child: Child) -> None:
        self._children.append(child)
        child.start()

    def _keep_up(self) -> None:
        for child in self._children:
            child.keep_up()
        if self._sync is not None:
            self._sync.look()

    def _migrate(self, environment: dict[str, str]) -> None:
        if plugins_named(environ=environment):
            # a process of its own: plugins are imported for it, and this one outlives what they do
            command = (*COMMAND, "migrate")
            done = subprocess.run(command, check=False, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)
            if done.returncode and not self._core_is_migrated(environment):
                raise NotStarted("The database could not be migrated; the lines above say why.")
            return
        asyncio.run(migrations.migrate(_owner_url(environment), test_clock=True))

    def _core_is_migrated(self, environment: dict[str, str]) -> bool:
        """A plugin's revision that fails does not keep core from starting."""
        return not asyncio.run(migrations.pending(_owner_url(environment)))

    def _plant(self, environment: dict[str, str]) -> None:
        """The demo, at the first start of a folder, and what a large one lacks; while the API is still coming up."""
        done = self._data / "seeded"
        if self._scale is not None or (self._seed and not done.exists()):
            scaled = () if self._scale is None else ("--scale", str(self._scale))
            patience = READY_WITHIN + (self._scale or 0) * PATIENCE_AN_ORG
            seed = (*COMMAND, "seed", *scaled)
            try:
                subprocess.run(seed, check=True, env=environment, stdin=subprocess.DEVNULL, timeout=patience)
            except subprocess.SubprocessError as error:
                if self._stopping:
                    return
                raise NotStarted("The demo could not be planted; the lines above say why.") from error
            done.touch()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not self._stopping and not (self._answers() and self._sells(deadline - READY_WITHIN + SALE_PATIENCE)):
            if time.monotonic() > deadline or any(child.gave_up for child in self._needed):
                raise NotStarted("It did not come up; the lines above say why.")
            self._keep_up()
            time.sleep(LOOK_EVERY)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _sells(self, deadline: float) -> bool:
        """A local Stripe that cannot run keeps nobody from working on what needs none."""
        if self._sync is None or self._stripe is None or time.monotonic() > deadline:
            return True
        if any(child.gave_up for child in self._children):
            return True
        return self._sync.over and self._stripe.answers()

    def _wait_for_port(self) -> None:
        deadline = time.monotonic() + PORT_PATIENCE
        while True:
            try:
                return refuse_taken_port("127.0.0.1", self._port)
            except PortTaken:
                if time.monotonic() > deadline:
                    raise
            time.sleep(LOOK_EVERY)

    def _stop_children(self) -> None:
        deadline = time.monotonic() + DRAIN
        if self._sync is not None:
            self._sync.stop()
        for child in self._children:
            child.stop()
        for child in self._children:
            child.wait(deadline)

    def _stop(self, *_: object) -> None:
        self._stopping = True


def _owner_url(environment: dict[str, str]) -> str:
    url = environment.get("TENANTRY_DATABASE_DIRECT_URL") or environment["TENANTRY_DATABASE_URL"]
    return environment.get("TENANTRY_MIGRATION_DATABASE_URL") or url
