"""What the tests of rates share: a clock in memory, a naive reference, a reader of structured fields, callers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from tenantry.foundation.domain import Registry
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.rates.counted import Policy, Rates
from tenantry.foundation.security.rates.house import HouseRates
from tenantry.testing import Client, Installation, Response, installed

PROXIED = {"TENANTRY_TRUSTED_PROXIES": "127.0.0.0/8"}
_ITEM = re.compile(r'"([a-z_]+)"((?:;[a-z]+=[0-9]+)+)')


class Seconds:
    """A clock in memory that a test sets by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


def passes(rates: Rates, policy: Policy, subject: str = "ada", cost: int = 1) -> bool:
    """Whether somebody may go on."""
    return not rates.decide([(policy, subject)], cost)


def passed(rates: Rates, policy: Policy, times: int, subject: str = "ada") -> int:
    """How many of so many at once may."""
    return sum(passes(rates, policy, subject) for _ in range(times))


class Naive:
    """A reference that keeps every moment as a fraction and knows one policy for one subject."""

    def __init__(self, times: int, per: timedelta) -> None:
        self._span = Fraction(per.total_seconds())
        self._gap = self._span / times
        self._full_at = Fraction(0)

    def fits(self, now: Fraction, cost: int) -> bool:
        return max(self._full_at, now) + cost * self._gap <= now + self._span

    def take(self, now: Fraction, cost: int) -> None:
        self._full_at = max(self._full_at, now) + cost * self._gap


def items(field: str) -> dict[str, dict[str, int]]:
    """A list of strings with integer parameters, as structured fields (RFC 9651) write it; anything else fails."""
    found: dict[str, dict[str, int]] = {}
    for member in field.split(", "):
        parsed = _ITEM.fullmatch(member)
        assert parsed is not None, field
        pairs = (pair.split("=") for pair in parsed[2].lstrip(";").split(";"))
        found[parsed[1]] = {name: int(number) for name, number in pairs}
    return found


def left(answer: Response) -> dict[str, int]:
    """What an answer says is left of each policy, the first first."""
    return {name: told["r"] for name, told in items(answer.headers["ratelimit"]).items()}


def node(runtime: Runtime) -> Runtime:
    """Another process of the same installation, as far as it counts."""
    return msgspec.structs.replace(runtime, rates=HouseRates(runtime.settings, runtime.clock))


@asynccontextmanager
async def counting(url: str, folder: Path, registry: Registry, **settings: str) -> AsyncIterator[Installation]:
    """An installation that counts, behind a proxy that says where each request comes from."""
    environ = {"TENANTRY_RATE_LIMITS": "on"} | PROXIED | {f"TENANTRY_{name}": text for name, text in settings.items()}
    async with installed(url, folder, registry=registry, environ=environ) as house:
        yield house


async def me(client: Client, source: str, **headers: str) -> Response:
    """Ask from somewhere who one is."""
    return await client.get("/v1/users/me", headers={"x-forwarded-for": source} | headers)


def limited(answer: Response) -> bool:
    """Whether it was refused because it was asked too often; then it says which policies that were."""
    if answer.code != "rate_limited":
        return False
    told: Any = answer.json
    assert told["violated-policies"]
    assert int(answer.headers["retry-after"]) >= 1
    assert all(left(answer)[name] == 0 for name in told["violated-policies"])
    return True
