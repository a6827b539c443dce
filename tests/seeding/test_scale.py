"""`tenantry seed --scale N`: a demo as large as one likes, which the same number makes again."""

from __future__ import annotations

import os
import pty
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from commands import run
from tenantry.accounts import actions as accounts
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.crowd import DAYS, MOST_PEOPLE, Crowd
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.events.folding import fold
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.story import DEMO, DEMO_PASSWORD
from tenantry.foundation.work import PersonWork, SystemWork
from tenantry.orgs import actions as orgs
from tenantry.testing import Client, Databases, HandClock, Installation, installed

ORGS = 40
TODAY, TOMORROW = datetime(2030, 5, 17, 9, 30, tzinfo=UTC), datetime(2030, 5, 18, 9, 30, tzinfo=UTC)
TABLES = {
    "people": "select * from tenantry.users where email <> $1 order by id",
    "credentials": """
        select credentials.*
          from tenantry.credentials
          join tenantry.users on users.id = user_id
         where email <> $1
         order by user_id
    """,
    "orgs": "select * from tenantry.orgs where $1 <> '' order by id",
    "slugs": "select * from tenantry.org_slugs where $1 <> '' order by slug",
    "members": "select * from tenantry.members where $1 <> '' order by org_id, user_id",
    "events": """
        select org_id, person_id, kind, payload
          from tenantry.events
         where kind like 'orgs.%'
            or person_id <> (select id from tenantry.users where email = $1)
         order by tx, id
    """,
}


async def seed(house: Installation, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return await run([sys.executable, "-m", "tenantry", "seed", *words], house, **environ)


async def scaled(house: Installation, *words: str, **environ: str) -> list[str]:
    done = await seed(house, "--scale", *words, **environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def rows(house: Installation) -> dict[str, list[dict[str, Any]]]:
    return {name: [dict(row) for row in await house.rows(statement, DEMO)] for name, statement in TABLES.items()}


Large = tuple[Installation, list[str]]


@pytest.fixture(scope="module")
async def large(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Large]:
    """An installation with a large demo, and what was said when it was made."""
    async with (
        databases.fresh() as url,
        installed(url, tmp_path_factory.mktemp("large"), registry=registry) as house,
    ):
        yield house, await scaled(house, str(ORGS))


def founders(large: Large) -> list[str]:
    return large[1][-1].removeprefix("the same password signs in ").split(", ")


async def sign_in(house: Installation, email: str) -> tuple[Client, str]:
    """A founder, and the organization that is theirs."""
    answer = await house.client.post("/v1/auth/login", {"email": email, "password": DEMO_PASSWORD})
    assert answer.status == 200, answer
    founder = house.client.signed_in(answer.json)
    listed = (await founder.get("/v1/orgs")).json["items"]
    (own,) = [one["id"] for one in listed if one["role"] == "owner"]
    return founder, own


async def test_it_says_what_it_does_and_adds_what_it_says(large: Large) -> None:
    house, said = large
    there = await rows(house)
    people, members = len(there["people"]), len(there["members"])
    assert said[:3] == [
        f"sign in as {DEMO} with the password: {DEMO_PASSWORD}",
        f"{ORGS} of {ORGS} organizations",
        f"added {people} people, {ORGS} organizations, {members} memberships",
    ]
    assert len(there["orgs"]) == len(there["slugs"]) == ORGS
    assert len(there["credentials"]) == people
    # some belong to another organization as well
    assert people < members < people + ORGS


async def test_most_organizations_are_small_and_some_are_not(large: Large) -> None:
    sizes = Counter(row["org_id"] for row in (await rows(large[0]))["members"])
    assert len(sizes) == ORGS
    assert min(sizes.values()) == 1
    assert statistics.median(sizes.values()) <= 4
    assert 10 < max(sizes.values()) <= MOST_PEOPLE


def test_a_very_large_one_keeps_to_its_sizes() -> None:
    sizes = [len(one.members) for one in Crowd(1, 2_000, TODAY).companies()]
    assert (min(sizes), max(sizes)) == (1, MOST_PEOPLE)
    assert statistics.median(sizes) <= 3 < statistics.mean(sizes) < 8


async def test_every_organization_has_one_owner_and_some_have_admins(large: Large) -> None:
    members = (await rows(large[0]))["members"]
    owners = Counter(row["org_id"] for row in members if row["role"] == "owner")
    assert len(owners) == ORGS
    assert set(owners.values()) == {1}
    assert {row["role"] for row in members} == {"owner", "admin", "member"}


async def test_it_tells_of_three_months(large: Large) -> None:
    house, _ = large
    there, now = await rows(house), datetime.now(UTC)
    came = {row["id"]: row["created_at"] for row in there["people"]}
    founded = {row["id"]: row["created_at"] for row in there["orgs"]}
    for row in there["members"]:
        assert came[row["user_id"]] < row["joined_at"] < now
        assert founded[row["org_id"]] <= row["joined_at"]
    assert min(founded.values()) > now - timedelta(days=DAYS + 1)
    assert max(founded.values()) - min(founded.values()) > timedelta(days=DAYS / 2)
    # ids as old as what they name
    for id, at in (came | founded).items():
        assert id.int >> 76 & 15 == 7
        assert id.int >> 80 == int(at.timestamp() * 1000)


async def test_the_founders_of_the_first_three_sign_in_and_see_their_members(large: Large) -> None:
    house, _ = large
    assert len(founders(large)) == 3
    for email in founders(large):
        founder, own = await sign_in(house, email)
        listed = (await founder.get(f"/v1/orgs/{own}/members?limit=100")).json["items"]
        known = await house.rows("select from tenantry.members where org_id = $1", ORG_ID.read(own))
        assert len(listed) == len(known)
        assert email in [one["email"] for one in listed]
        assert all(one["email"].endswith(".example") for one in listed)


async def test_nobody_else_of_it_can_sign_in(large: Large) -> None:
    house, _ = large
    there = await rows(house)
    others = [row["id"] for row in there["people"] if row["email"] not in founders(large)]
    hashes = Counter(row["password_hash"] for row in there["credentials"] if row["user_id"] in others)
    assert len(hashes) == 1
    email = next(row["email"] for row in there["people"] if row["id"] == others[0])
    answer = await house.client.post("/v1/auth/login", {"email": email, "password": DEMO_PASSWORD})
    assert (answer.status, answer.json["code"]) == (401, "invalid_credentials")


async def test_its_organizations_have_a_past_to_go_on_from(large: Large) -> None:
    house, _ = large
    founder, own = await sign_in(house, founders(large)[-1])
    renamed = await founder.patch(f"/v1/orgs/{own}", {"name": "Otherwise"})
    assert renamed.status == 200, renamed
    org_id = ORG_ID.read(own)
    assert org_id is not None
    call, later = Call(house.runtime, Actor("cli"), "request-of-a-test"), datetime.now(UTC) + timedelta(minutes=1)
    async with SystemWork(call, reason="a test", reading=True) as work:
        tables = await fold(work, house.registry.folds, org_id=org_id, at=later)
    assert [row.name for row in tables["orgs"]] == ["Otherwise"]
    there = await house.rows("select user_id, role from tenantry.members where org_id = $1", org_id)
    assert {(row.user_id, row.role) for row in tables["members"]} == {(row["user_id"], row["role"]) for row in there}


async def test_a_number_makes_the_same_rows_in_two_databases_and_another_makes_others(
    databases: Databases, registry: Registry, tmp_path: Path
) -> None:
    clock = HandClock(tmp_path / "clock")
    clock.set(TODAY)
    found = []
    for place, number in enumerate(("7", "7", "8")):
        async with (
            databases.fresh() as url,
            installed(url, tmp_path / str(place), registry=registry, environ=clock.environ) as house,
        ):
            await scaled(house, "12", "--seed", number, **clock.environ)
            found.append(await rows(house))
    assert found[0] == found[1]
    for name, these in found[0].items():
        assert these, name
        assert not [row for row in these if row in found[2][name]], name


async def test_another_time_adds_nothing_and_a_larger_one_what_was_missing(
    clocked: Installation, clock: HandClock
) -> None:
    clock.set(TODAY)
    await scaled(clocked, "12", **clock.environ)
    before = await rows(clocked)
    for day in (TODAY, TOMORROW):
        clock.set(day)
        assert (await scaled(clocked, "12", **clock.environ))[2] == "added 0 people, 0 organizations, 0 memberships"
    assert await rows(clocked) == before
    await scaled(clocked, "15", **clock.environ)
    after = await rows(clocked)
    assert len(after["orgs"]) == 15
    assert all(row in after[name] for name, these in before.items() for row in these)
    assert set(Counter(row["org_id"] for row in after["members"] if row["role"] == "owner").values()) == {1}


async def test_who_is_gone_since_does_not_come_back(installation: Installation) -> None:
    await scaled(installation, "12")
    await installation.rows("delete from tenantry.members where role <> 'owner'")
    await installation.rows(
        "delete from tenantry.users where id not in (select user_id from tenantry.members union "
        "select id from tenantry.users where email = $1)",
        DEMO,
    )
    before = await rows(installation)
    await scaled(installation, "12")
    assert await rows(installation) == before


async def test_an_organization_whose_founder_is_gone_is_not_made_again_without_one(installation: Installation) -> None:
    await scaled(installation, "12")
    (largest,) = await installation.rows(
        "select org_id from tenantry.members group by org_id order by count(*) desc limit 1"
    )
    owned = "select user_id from tenantry.members where org_id = $1 and role = 'owner'"
    (founder,) = await installation.rows(owned, largest["org_id"])
    await installation.rows("delete from tenantry.orgs where id = $1", largest["org_id"])
    await installation.rows("delete from tenantry.members where user_id = $1", founder["user_id"])
    await installation.rows("delete from tenantry.users where id = $1", founder["user_id"])
    before = await rows(installation)
    await scaled(installation, "12")
    assert await rows(installation) == before


async def test_it_is_refused_outside_development(installation: Installation) -> None:
    production = {
        "TENANTRY_ENVIRONMENT": "production",
        "TENANTRY_PUBLIC_URL": "https://a.example",
        "TENANTRY_ALLOWED_HOSTS": "a.example",
        "TENANTRY_SMTP_URL": "smtps://mail.example",
        "TENANTRY_MAIL_FROM": "house@a.example",
    }
    done = await seed(installation, "--scale", "3", **production)
    assert done.returncode == 1
    assert "passwords are known to everybody" in done.stderr
    assert not await installation.rows("select from tenantry.users")


async def test_a_number_needs_a_scale_and_a_scale_organizations(installation: Installation) -> None:
    for words in (("--seed", "3"), ("--scale", "0"), ("--scale", "2", "--seed", "-1")):
        done = await seed(installation, *words)
        assert done.returncode == 2, words
    assert not await installation.rows("select from tenantry.users")


async def test_a_terminal_sees_a_bar(installation: Installation) -> None:
    leader, follower = pty.openpty()
    command = f'exec "{sys.executable}" -m tenantry seed --scale 3 > "{os.ttyname(follower)}"'
    try:
        done = await run(["sh", "-c", command], installation, TERM="xterm")
        shown = os.read(leader, 65536).decode()
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 0, done.stderr
    assert "100%" in shown
    assert "3 of 3 organizations" not in shown


async def test_a_thousand_organizations_take_seconds(installation: Installation) -> None:
    began = time.monotonic()
    said = await scaled(installation, "1000")
    assert time.monotonic() - began < 30
    steps = [line for line in said if line.endswith("of 1000 organizations")]
    assert (len(steps), steps[-1]) == (10, "1000 of 1000 organizations")
    assert len(await installation.rows("select from tenantry.orgs")) == 1000


async def test_a_crowd_is_made_by_the_house_alone(installation: Installation) -> None:
    await installation.person()
    (one,) = await installation.rows("select id, user_id from tenantry.sessions")
    call = Call(installation.runtime, Actor("person", person=one["user_id"], session=one["id"]), "request-of-a-test")
    companies = list(Crowd(1, 1, TODAY).companies())
    for verb in (accounts.join_crowd, orgs.found_crowd):
        with pytest.raises(Forbidden):
            async with PersonWork(call) as work:
                await verb(work, companies=companies)  # type: ignore[call-overload, operator, arg-type]
