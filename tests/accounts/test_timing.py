"""How long an answer takes does not tell whether an address has an account.

Pairs of requests, one about a known and one about an unknown address, one right after the other and in an order drawn
for each pair, so that whatever else the machine does meets both alike. A round finds a leak where the differences
within the pairs are no chance (Wilcoxon's signed ranks) and worth a stranger's while (their median); a route leaks
where every round finds one, in the same direction.
"""

from __future__ import annotations

import gc
import itertools
import math
import random
import time
from collections.abc import AsyncIterator, Sequence
from statistics import median
from typing import Any, NamedTuple

import pytest
from people import seen

from tenantry.foundation.domain import Registry
from tenantry.foundation.security.passwords import Cost, Passwords
from tenantry.testing import Databases, Installation, installed
from tenantry.testing.installation import PASSWORD

WARMING, ROUNDS = 10, 3
# what costs a hash is measured seldom, the rest often, so that a statement more or less is found
PAIRS = {"login": 50, "register": 50, "resend": 200, "forgot-password": 200}
CHANCE = 0.001
SHARE, MOST_MS = 0.15, 1.5
"""Less than this share of an answer's time, or than these milliseconds if that is less, is not called a leak.

A link for a new password is a row that an unknown address cannot have: a tenth of a millisecond, or less. Five asked
for in an hour, which is all that an address is given, do not tell a stranger of it.
"""
ROUTES = {
    "login": {"password": "not the right one"},
    "register": {"password": PASSWORD, "name": "Somebody"},
    "resend": {},
    "forgot-password": {},
}
_numbers = itertools.count(1)

people = """
    with joined as (
        insert into tenantry.users (id, email, email_key, name)
        select gen_random_uuid(), email, email, 'Ada Lovelace' from unnest($1::text[]) as email
        returning id
    ), proven as (
        insert into tenantry.credentials (user_id, password_hash) select id, $2 from joined
    )
    insert into tenantry.sessions (id, user_id, expires_at, source, network, agent)
    select gen_random_uuid(), id, now() + interval '90 days', '192.0.2.7', '192.0.2.0/24', 'a browser' from joined
"""


class Finding(NamedTuple):
    """What a round found: milliseconds that a known address takes longer, how probable by chance, the usual time."""

    difference: float
    probability: float
    usual: float

    @property
    def leak(self) -> int:
        """1 where known addresses take longer, -1 where unknown ones do, 0 where nobody can tell."""
        if self.probability >= CHANCE or abs(self.difference) < min(MOST_MS, SHARE * self.usual):
            return 0
        return 1 if self.difference > 0 else -1

    def __str__(self) -> str:
        return f"{self.difference:+.3f} ms of {self.usual:.2f} ms, p = {self.probability:.2g}"


def judged(pairs: Sequence[tuple[float, float]]) -> Finding:
    """What the times of known and unknown addresses, in milliseconds, amount to."""
    differences = [known - unknown for known, unknown in pairs]
    return Finding(median(differences), chance_of(differences), median(itertools.chain.from_iterable(pairs)))


def chance_of(differences: Sequence[float]) -> float:
    """How probable differences at least as lopsided are if their signs are drawn by lot."""
    number = len(differences)
    ranked = enumerate(sorted(differences, key=abs), 1)
    upwards = sum(rank for rank, difference in ranked if difference > 0)
    deviation = math.sqrt(number * (number + 1) * (2 * number + 1) / 24)
    return math.erfc(abs(upwards - number * (number + 1) / 4) / deviation / math.sqrt(2))


def drawn(shift: float, *, seed: int) -> list[tuple[float, float]]:
    """Times as a noisy machine has them: now and then something comes in between."""
    draw = random.Random(seed)
    noisy = [[4 + draw.gauss(0, 0.4) + (20 if draw.random() < 0.05 else 0) for _ in "ku"] for _ in range(60)]
    return [(known + shift, unknown) for known, unknown in noisy]


def test_the_judgement_finds_a_leak_amid_noise_and_none_where_there_is_none() -> None:
    for shift in (-1, 0, 1):
        found = [judged(drawn(shift, seed=seed)).leak for seed in range(200)]
        assert found.count(shift) >= 195, shift
        assert -shift not in found or shift == 0


@pytest.fixture(scope="module")
async def costly(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation where hashing costs what it costs in earnest."""
    folder = tmp_path_factory.mktemp("costly")
    async with databases.fresh() as url, installed(url, folder, registry=registry, cost=Cost()) as running:
        yield running


async def addresses(house: Installation, number: int) -> tuple[list[str], list[str]]:
    """As many addresses with an account as without, which nobody could tell apart by looking at them."""
    drawn = [f"person{next(_numbers):06}@example.com" for _ in range(2 * number)]
    random.shuffle(drawn)
    await house.rows(people, drawn[:number], await Passwords(cost=house.runtime.passwords.cost).hash(PASSWORD))
    return drawn[:number], drawn[number:]


async def timed(house: Installation, route: str, email: str) -> tuple[float, Any]:
    """The milliseconds until an answer was read, and what it looks like to a stranger."""
    body = {"email": email} | ROUTES[route]
    started = time.perf_counter()
    answer = await house.client.post(f"/v1/auth/{route}", body)
    return (time.perf_counter() - started) * 1000, seen(answer)


async def a_round(house: Installation, route: str) -> Finding:
    """Ask about known and unknown addresses in turn; every answer must look the same."""
    pairs = []
    answers = []
    for known, unknown in zip(*await addresses(house, WARMING + PAIRS[route]), strict=True):
        order = [known, unknown] if random.random() < 0.5 else [unknown, known]
        took = {email: await timed(house, route, email) for email in order}
        pairs.append((took[known][0], took[unknown][0]))
        answers += [took[known][1], took[unknown][1]]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == (401 if route == "login" else 202)
    return judged(pairs[WARMING:])


@pytest.mark.slow
@pytest.mark.parametrize("route", ROUTES)
async def test_no_answer_takes_longer_for_an_address_with_an_account_or_without(
    costly: Installation, route: str
) -> None:
    gc.collect()
    gc.disable()
    try:
        found = [await a_round(costly, route)]
        # only what every round finds is more than a bad moment of this machine
        while len(found) < ROUNDS and found[0].leak and found[-1].leak == found[0].leak:
            found.append(await a_round(costly, route))
    finally:
        gc.enable()
    print(f"{route}: {'; '.join(map(str, found))}")
    assert {one.leak for one in found} not in ({1}, {-1}), "; ".join(map(str, found))
