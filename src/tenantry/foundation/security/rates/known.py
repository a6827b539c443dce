"""What a process knows of the rates of organizations, and how old that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from uuid import UUID

from tenantry.foundation.security.rates.counted import Policy

FRESH = 1.0
"""Seconds for which a process goes by what it heard of an organization's rate."""
HEARD_AGAIN = 0.5
IN_USE = 60.0
MOST_KNOWN = 10_000
"""Organizations whose rates a process keeps in mind."""
ORG = "org"


@lru_cache(1000)
def org_policy(times: int) -> Policy:
    """The policy of so many requests a minute; of less than one there is none, since nobody could ask for more."""
    return Policy(ORG, max(1, times))


class Heard:
    """What was said of an organization: its policy, or that it has none; whether anybody said so, and when."""

    __slots__ = ("at", "policy", "said", "used")

    def __init__(self, policy: Policy | None, *, said: bool, at: float) -> None:
        self.policy, self.said, self.at, self.used = policy, said, at, at


class Known:
    """The rates of the organizations that asked for something lately; `usual` is for those of whom nothing is said."""

    def __init__(self, usual: Policy, *, most: int = MOST_KNOWN) -> None:
        self._usual = usual
        self._most = most
        self._heard: dict[UUID, Heard] = {}

    def __len__(self) -> int:
        return len(self._heard)

    def of(self, org: UUID, now: float) -> Heard | None:
        """What is known of an organization, unless it is too old to go by."""
        heard = self._heard.get(org)
        if heard is None or now - heard.at > FRESH:
            return None
        heard.used = now
        return heard

    def hear(self, orgs: Sequence[UUID], said: Mapping[UUID, int | None], *, at: float) -> None:
        """Go by this from now on, as of the moment at which it was asked for."""
        for org in orgs:
            times = said.get(org)
            policy = (None if times is None else org_policy(times)) if org in said else self._usual
            before = self._heard.pop(org, None)
            self._heard[org] = heard = Heard(policy, said=org in said, at=at)
            if before is not None:
                heard.used = before.used
        if len(self._heard) > self._most:
            oldest = sorted(self._heard, key=lambda org: self._heard[org].used)
            for org in oldest[: len(self._heard) - self._most * 7 // 8]:
                del self._heard[org]

    def in_use(self, now: float) -> Iterator[UUID]:
        """Those to hear of again, so that no request has to wait for it; whose rate nobody says is not among them."""
        for org, heard in self._heard.items():
            if heard.said and now - heard.used < IN_USE and now - heard.at > HEARD_AGAIN:
                yield org
