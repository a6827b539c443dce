"""A crowd: organizations and their people as a number makes them, for a demo that is as large as one likes.

The same number gives the same names, ids and instants, as long as the last day is the same. Which rows it becomes is
each domain's own matter (`Domain.scale`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import msgspec

from tenantry.foundation.crowd_names import FAMILIES, GIVEN, PLACES, TRADES
from tenantry.foundation.permission import Role

DAYS = 90
"""How far back a crowd goes."""
MOST_PEOPLE = 30
"""People of one organization."""
OPEN = 3
"""The founders of so many organizations, the first ones, have the password of the demo; nobody else has any."""
_SKEW, _ADMINS, _GUESTS = 0.9, 0.15, 0.25


class Somebody(msgspec.Struct, frozen=True):
    """A person of the crowd, with when they came and what they are in the organization that they belong to."""

    id: UUID
    name: str
    email: str
    came_at: datetime
    role: Role
    joined_at: datetime


class Company(msgspec.Struct, frozen=True):
    """An organization of the crowd: its own people, the founder first, and the founder of another who is a guest."""

    id: UUID
    index: int
    name: str
    slug: str
    founded_at: datetime
    staff: tuple[Somebody, ...]
    guests: tuple[Somebody, ...]

    @property
    def members(self) -> tuple[Somebody, ...]:
        """Everybody who belongs to it."""
        return self.staff + self.guests


class Crowd(msgspec.Struct, frozen=True):
    """So many organizations, made from a number; all of it happened in the three months before an instant."""

    number: int
    size: int
    until: datetime

    def companies(self) -> Iterator[Company]:
        """Each of them; one does not depend on how many there are."""
        yield from map(self._company, range(self.size))

    def signed_in_by_the_demo(self) -> list[str]:
        """The addresses that the password of the demo signs in."""
        return [company.staff[0].email for company in map(self._company, range(min(OPEN, self.size)))]

    def _company(self, index: int) -> Company:
        company, chance = self._begun(index)
        hosts = index > 0 and chance.random() < _GUESTS
        guests = (self._guest(company, chance),) if hosts else ()
        # most have one or two, few have many
        own = min(MOST_PEOPLE - len(guests), int(chance.paretovariate(_SKEW)))
        names = {company.staff[0].name}
        staff = [*company.staff]
        while len(staff) < own:
            one = self._colleague(company, chance)
            if one.name not in names:
                names.add(one.name)
                staff.append(one)
        return msgspec.structs.replace(company, staff=tuple(staff), guests=guests)

    def _begun(self, index: int) -> tuple[Company, Random]:
        """An organization with nobody but its founder, and the chance that goes on from there."""
        chance = Random(f"{self.number}/{index}")  # noqa: S311  (a demo, not a secret)
        founded_at = self.until - timedelta(seconds=int(chance.triangular(3600, DAYS * 86400 - 3600, 20 * 86400)))
        words = chance.choice(PLACES), chance.choice(TRADES)
        slug = f"{'-'.join(words).lower()}-{self.number}-{index}"
        id = id_of(founded_at, chance)
        company = Company(id, index, " ".join(words), slug, founded_at, (), ())
        founder = _somebody(company, chance, "owner", founded_at)
        return msgspec.structs.replace(company, staff=(founder,)), chance

    def _colleague(self, company: Company, chance: Random) -> Somebody:
        return _somebody(company, chance, _role(chance), self._later(company, chance))

    def _guest(self, company: Company, chance: Random) -> Somebody:
        founder = self._begun(chance.randrange(company.index))[0].staff[0]
        # nobody joins before they are there
        joined_at = max(founder.joined_at, self._later(company, chance))
        return msgspec.structs.replace(founder, role=_role(chance), joined_at=joined_at)

    def _later(self, company: Company, chance: Random) -> datetime:
        """When somebody joined who is not the founder: soon rather than late."""
        age = (self.until - company.founded_at).total_seconds()
        return company.founded_at + timedelta(seconds=int(600 + (age - 600) * chance.random() ** 2))


def id_of(at: datetime, chance: Random) -> UUID:
    """An id as it would have been made at an instant: a UUIDv7."""
    instant = int(at.timestamp() * 1000)
    return UUID(int=instant << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62))


def _role(chance: Random) -> Role:
    return "admin" if chance.random() < _ADMINS else "member"


def _somebody(company: Company, chance: Random, role: Role, joined_at: datetime) -> Somebody:
    given, family = chance.choice(GIVEN), chance.choice(FAMILIES)
    came_at = joined_at - timedelta(seconds=chance.randrange(30, 600))
    email = f"{given}.{family}@{company.slug}.example".lower()
    return Somebody(id_of(came_at, chance), f"{given} {family}", email, came_at, role, joined_at)
