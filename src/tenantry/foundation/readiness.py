"""Whether this process can take traffic: the database answers, its schema is this code's, and there are keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import msgspec
from asyncpg.exceptions import PostgresError

from tenantry.foundation.data import migrations
from tenantry.foundation.data.database import LOST, system_context
from tenantry.foundation.problems import Unavailable
from tenantry.foundation.runtime import Runtime

FRESH_FOR = 1.0
"""Seconds for which what `/readyz` found is answered again."""
PATIENCE = 3.0
# a schema of newer code still serves the one before it, so that a deployment replaces processes one by one
SERVING = frozenset(("ok", "ahead"))


class State(msgspec.Struct, frozen=True):
    """What was found: each check by name, whether all of them hold, and how each enabled plugin stands.

    A plugin that does not work takes no traffic from core: it is told, and changes nothing about being ready.
    """

    ready: bool
    checks: Mapping[str, str]
    plugins: Mapping[str, str] = {}

    @property
    def well(self) -> bool:
        """Whether nothing at all is wrong."""
        return self.ready and set(self.plugins.values()) <= {"ok"}


class Readiness:
    """Asks, at most once a second however often it is asked."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._known: State | None = None
        self._known_at = 0.0
        self._asking = asyncio.Lock()

    async def state(self) -> State:
        """The state of at most a second ago."""
        async with self._asking:
            if self._known is None or time.monotonic() - self._known_at > FRESH_FOR:
                self._known = await self._ask()
                self._known_at = time.monotonic()
            return self._known

    async def _ask(self) -> State:
        database, schema, plugins = await self._database()
        keys = "ok" if self._runtime.keys.ready else "missing"
        checks = {"database": database, "migrations": schema, "keys": keys}
        return State(set(checks.values()) <= SERVING, checks, plugins)

    async def _database(self) -> tuple[str, str, dict[str, str]]:
        plugins = dict.fromkeys(self._runtime.histories, "ok")
        plugins |= {plugin.name: plugin.state for plugin in self._runtime.plugins}
        found = None
        try:
            async with asyncio.timeout(PATIENCE):
                async with self._runtime.database.transaction(system_context()) as connection:
                    found = await migrations.current(connection)
                    # a new database answers the first question and perhaps not these
                    for name, history in self._runtime.histories.items():
                        plugins[name] = _standing(await migrations.current(connection, history), history)
        except (*LOST, Unavailable):
            return "unreachable", "unknown", plugins | dict.fromkeys(self._runtime.histories, "unknown")
        except PostgresError:
            # it answers, but the roles or the schema that `migrate` makes are not there
            return "ok", "missing" if found is None else _standing(found), plugins
        return "ok", _standing(found), plugins


def _standing(found: str | None, history: migrations.History = migrations.CORE) -> str:
    """Where a schema stands beside its code."""
    known = [None, *migrations.revisions(history)]
    if found not in known:
        return "ahead"
    return "ok" if found == known[-1] else "behind"
