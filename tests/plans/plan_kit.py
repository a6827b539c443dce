"""A plan file of tests, and installations that go by it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.work import SystemWork
from tenantry.plans import actions
from tenantry.testing import Client, Installation
from tenantry.testing.installation import installed

UPGRADE = "https://app.example.com/upgrade?org={org}"
PLANS = """
default = "free"

[features]
sso = "Single sign-on"
exports = "Exports"

[limits]
seats = "Members and invites"
projects = "Projects"
audit_days = "Days of audit log"

[[plans]]
key = "free"
name = "Free"
limits = { seats = 3, projects = 2 }

[[plans]]
key = "pro"
name = "Pro (2025)"
features = ["sso"]
limits = { seats = 5 }

[[plans]]
key = "pro"
name = "Pro"
version = 2
features = ["sso", "exports"]
limits = { seats = 10, projects = 50, audit_days = 7 }
prices = [
  { amount = 1200, currency = "eur", per_seat = true },
  { amount = 12000, currency = "eur", interval = "year", per_seat = true },
]
seats = { least = 1, most = 50 }
trial_days = 14

[[plans]]
key = "all"
name = "All"
features = ["*"]
"""


def plan_file(folder: Path, text: str = PLANS) -> str:
    """Write a plan file; where it is."""
    place = folder / "plans.toml"
    place.write_text(text)
    return str(place)


@asynccontextmanager
async def selling(
    url: str, folder: Path, registry: Registry, text: str = PLANS, **more: str
) -> AsyncIterator[Installation]:
    """An installation with a plan file."""
    environ = {"TENANTRY_PLAN_FILE": plan_file(folder, text), "TENANTRY_LINK_UPGRADE": UPGRADE} | more
    async with installed(url, folder, registry=registry, environ=environ) as house:
        yield house


def uuid_of(org: str) -> UUID:
    """The id that rows have."""
    found = ORG_ID.read(org)
    assert found is not None
    return found


async def give(house: Installation, org: str, plan: str, **rest: Any) -> None:
    """Put an organization on a plan."""
    async with house_work(house) as work:
        await actions.give_plan(work, org_id=uuid_of(org), plan=plan, **{"source": "subscription"} | rest)


def house_work(house: Installation) -> SystemWork:
    """Work of the house."""
    return SystemWork(Call(house.runtime, Actor("cli"), "a-trial"), reason="a test")


async def found(house: Installation, person: Client | None = None) -> tuple[Client, str]:
    """Somebody, and an organization that is theirs."""
    owner = person or await house.person()
    return owner, str((await owner.post("/v1/orgs", {"name": "Acme"})).json["id"])
