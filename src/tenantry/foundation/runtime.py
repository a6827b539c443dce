"""What a running process has at hand: settings, clock, database, keys, post. Built once, by `assemble`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

import msgspec

from tenantry.foundation.around import Wrap
from tenantry.foundation.data.clock import Clock
from tenantry.foundation.data.database import Database
from tenantry.foundation.data.migrations import History
from tenantry.foundation.data.sql import Run
from tenantry.foundation.events.event import Event
from tenantry.foundation.fate import Fate
from tenantry.foundation.flag import FlagDeclaration
from tenantry.foundation.gathered import Gathered
from tenantry.foundation.jobs.bell import Bell
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.meter import Meter
from tenantry.foundation.neighbours import Neighbours
from tenantry.foundation.net.egress import Egress
from tenantry.foundation.net.mailer import Mailer
from tenantry.foundation.permission import Permission
from tenantry.foundation.plugins.plugin import Plugin
from tenantry.foundation.quota import Quota
from tenantry.foundation.security.cursors import Cursors
from tenantry.foundation.security.keyring import KeyRing
from tenantry.foundation.security.known_keys import KnownKeys
from tenantry.foundation.security.limits import Buckets
from tenantry.foundation.security.onetime import OneTime
from tenantry.foundation.security.passwords import Passwords
from tenantry.foundation.security.rates.house import HouseRates
from tenantry.foundation.security.refresh import Refresh
from tenantry.foundation.security.sealing import Sealer
from tenantry.foundation.security.used_keys import UsedKeys
from tenantry.foundation.security.visits import Visits
from tenantry.settings import Settings

Section = TypeVar("Section", bound=msgspec.Struct)


class Runtime(msgspec.Struct, frozen=True):
    """The equipment of one process; domains reach it through their Work or Call."""

    settings: Settings
    clock: Clock
    database: Database
    sealer: Sealer
    cursors: Cursors
    one_time: OneTime
    refresh: Refresh
    visits: Visits
    operators_visits: Visits
    buckets: Buckets
    rates: HouseRates
    keys: KeyRing
    passwords: Passwords
    mailer: Mailer
    bell: Bell
    listeners: Mapping[type[Event], tuple[NewJob, ...]]
    sections: Mapping[type[msgspec.Struct], msgspec.Struct]
    fates: Mapping[str, Fate]
    permissions: tuple[Permission, ...]
    org_tables: Mapping[str, Run] = {}
    wraps: Mapping[str, tuple[Wrap, ...]] = {}
    plugins: tuple[Plugin, ...] = ()
    histories: Mapping[str, History] = {}
    events: Mapping[str, type[Event]] = {}
    consumed: frozenset[str] = frozenset()
    meters: Mapping[str, Meter] = {}
    quotas: Mapping[str, Quota] = {}
    flags: tuple[FlagDeclaration, ...] = ()
    gathered: Gathered = msgspec.field(default_factory=Gathered)
    neighbours: Neighbours = msgspec.field(default_factory=Neighbours)
    in_flight: dict[UUID, asyncio.Event] = {}
    known_keys: KnownKeys = msgspec.field(default_factory=KnownKeys)
    used_keys: UsedKeys = msgspec.field(default_factory=UsedKeys)

    @property
    def origin(self) -> str:
        """Where links that leave the house start; configured, never read off a request."""
        return (self.settings.public_url or "http://127.0.0.1:8000").rstrip("/")

    @property
    def egress(self) -> Egress:
        """The only way out to URLs that customers set."""
        settings = self.settings
        return self.neighbours.of(Egress, lambda: Egress(allow=settings.egress_allow, resolver=settings.dns_resolver))

    def section(self, kind: type[Section]) -> Section:
        """A domain's own settings."""
        found = self.sections[kind]
        if not isinstance(found, kind):
            raise TypeError(f"the section {kind.__name__} holds something else")
        return found

    async def start(self) -> None:
        """Connect and read the keys; a database that is away does not stop the process, it is asked again."""
        await self.keys.keep_fresh()

    async def stop(self) -> None:
        """Let go of everything that is held."""
        await self.keys.stop()
        await self.rates.stop()
        await self.neighbours.close()
        self.passwords.close()
        await self.bell.close()
        self.database.close()
