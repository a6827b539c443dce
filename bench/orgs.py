"""`members` and `invites`: an organization's list and its busiest write, and whether a million of them are felt."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from bench.load import Load, Measured, measure, measure_gets
from bench.peers.fastapi_users import FastapiUsers
from bench.report import Figure, Goal, Outcome, compared, cpu_ratio, documents, idle_core, ratio
from bench.stage import Stage
from bench.subject import Tenantry
from bench.targets import Account, Target
from bench.wire import SERIAL, Request
from tenantry.foundation.data.ids import ORG_ID

OWNERS, ORGS_EACH, SHOWN = 16, 40, 20
FEW, MANY = 1_000, 1_000_000
BATCH = 50_000
COMPARED = (Tenantry.name, FastapiUsers.name)
COLUMNS = {
    "requests/s": lambda one: one.rate,
    "of the core %": lambda one: one.used,
    "server CPU us": lambda one: one.server_us,
    "PostgreSQL CPU us": lambda one: one.postgres_us,
    "p99 ms": lambda one: one.latency_ms["p99"],
}


@dataclass(frozen=True)
class Words:
    """How one program's tables are called, so that the same people stand in both."""

    user: str
    fellows: str
    orgs: str
    members: str


WORDS = {
    Tenantry.name: Words(
        user="select id from tenantry.users where email = $1",
        fellows="""
            insert into tenantry.users (id, email, email_key, name)
            select gen_random_uuid(), mail, mail, 'Fellow'
              from (select 'fellow' || number || '@example.com' as mail from generate_series(1, $1) as number) as made
         returning id
        """,
        orgs="""
            with made as (insert into tenantry.orgs (id, name, slug)
                          select id, 'Org', 'org-' || replace(id::text, '-', '') from unnest($1::uuid[]) as id
                       returning id, slug)
            insert into tenantry.org_slugs (slug, org_id) select slug, id from made
        """,
        members="""
            insert into tenantry.members (org_id, user_id, role)
            select * from unnest($1::uuid[], $2::uuid[], $3::text[])
        """,
    ),
    FastapiUsers.name: Words(
        user='select id from "user" where email = $1',
        fellows="""
            insert into "user" (id, email, hashed_password, is_active, is_superuser, is_verified)
            select gen_random_uuid(), 'fellow' || number || '@example.com', 'x', true, false, true
              from generate_series(1, $1) as number
         returning id
        """,
        orgs="insert into org (id, name) select id, 'Org' from unnest($1::uuid[]) as id",
        members="""
            insert into member (org_id, user_id, role, joined_at)
            select org, person, role, now() at time zone 'utc'
              from unnest($1::uuid[], $2::uuid[], $3::text[]) as made (org, person, role)
        """,
    ),
}


def members(stage: Stage) -> Outcome:
    """The first twenty members, with row security on, against the same list by an ORM; then among a million."""
    outcome = Outcome(
        "members", f"{SHOWN} members of an organization, {stage.options.connections} connections, one core"
    )
    with stage.running(only=COMPARED) as targets:
        teams = {target.name: Teams(target) for target in targets}

        def measured(target: Target) -> Measured:
            load = Load(target.port, teams[target.name].lists(), stage.options.connections, stage.options.seconds)
            return measure_gets(load, target.meter(), stage.cores)

        rounds = stage.rounds(targets, measured)
        outcome.document = {**stage.facts(targets), "rounds": documents(rounds)}
        outcome.tables += [compared(rounds, Tenantry.name, COLUMNS), *idle_core(rounds)]
        judge(outcome, rounds, least=5)
        for target in targets:
            if target.name == Tenantry.name:
                crowded(stage, outcome, target, teams[target.name])
    return outcome


def invites(stage: Stage) -> Outcome:
    """An invite with its event and its job in one commit, against the same three rows by an ORM."""
    outcome = Outcome("invites", f"row, event and job, {stage.options.connections} connections, one core")
    with stage.running(only=COMPARED) as targets:
        teams = {target.name: Teams(target) for target in targets}

        def measured(target: Target) -> Measured:
            requests, right = teams[target.name].invitations(), frozenset({201})
            load = Load(target.port, requests, stage.options.connections, stage.options.seconds, right=right)
            return measure(load, target.meter(), stage.cores)

        rounds = stage.rounds(targets, measured)
        outcome.document = {**stage.facts(targets), "rounds": documents(rounds)}
    outcome.tables += [compared(rounds, Tenantry.name, COLUMNS), *idle_core(rounds)]
    judge(outcome, rounds, least=4)
    return outcome


def judge(outcome: Outcome, rounds: dict[str, list[Measured]], *, least: float) -> None:
    """So many times the peer, in requests a second; CPU beside it."""
    if set(COMPARED) - set(rounds):
        return
    by_rate, by_cpu = ratio(rounds, *COMPARED), cpu_ratio(rounds, *COMPARED)
    outcome.document["ratios"] = {"rate": by_rate.document(), "cpu": by_cpu.document()}
    outcome.tables.append(f"  {by_rate.text(' x')} the requests, {by_cpu.text(' x')} less CPU")
    outcome.goals.append(Goal(f"at least {least:g} x {FastapiUsers.name}", by_rate.middle, by_rate.middle >= least))


def crowded(stage: Stage, outcome: Outcome, target: Target, teams: Teams) -> None:
    """The same list among a thousand organizations and among a million."""
    found: dict[int, list[Measured]] = {}
    for count in (FEW, MANY):
        teams.crowd(count)
        load = Load(target.port, teams.lists(), stage.options.connections, stage.options.seconds)
        measure_gets(load, target.meter(), stage.cores)
        found[count] = [measure_gets(load, target.meter(), stage.cores) for _ in range(stage.options.rounds)]
    figures = {count: Figure.of([one.rate for one in rounds]) for count, rounds in found.items()}
    outcome.document["crowded"] = {str(count): figure.document() for count, figure in figures.items()}
    outcome.tables += [
        f"  among {count:,} organizations: {figure.text()} requests/s" for count, figure in figures.items()
    ]
    share = figures[MANY].middle / figures[FEW].middle
    outcome.goals.append(Goal("among a million as among a thousand, within 20 %", share, abs(share - 1) <= 0.2))


class Teams:
    """The same organizations in any program: each owner has some, the first with twenty people and more."""

    def __init__(self, target: Target) -> None:
        self.target, self.words = target, WORDS[target.name]
        self.accounts: list[Account] = target.accounts(OWNERS)
        self.orgs: list[list[uuid.UUID]] = [[uuid.uuid4() for _ in range(ORGS_EACH)] for _ in self.accounts]
        self.crowded = 0
        asyncio.run(self._seed())

    def lists(self) -> list[Request]:
        """Each owner asks for the members of the first of their organizations."""
        return [
            Request("GET", f"{self._path(orgs[0])}/members{self._limit()}", self._credential(account))
            for account, orgs in zip(self._renewed(), self.orgs, strict=True)
        ]

    def invitations(self) -> list[Request]:
        """Somebody new is invited to each organization in turn."""
        body = {"email": f"guest.{SERIAL}@example.com", "role": "member"}
        pairs = zip(self._renewed(), self.orgs, strict=True)
        return [
            Request.json(f"{self._path(org)}/invites", body, self._credential(account))
            for account, orgs in pairs
            for org in orgs
        ]

    def crowd(self, count: int) -> None:
        """Have as many organizations of others beside them."""
        asyncio.run(self._crowd(count - self.crowded))
        self.crowded = count

    def _renewed(self) -> Sequence[Account]:
        self.accounts = self.target.renewed(self.accounts)
        return self.accounts

    def _credential(self, account: Account) -> dict[str, str]:
        return {"Authorization": f"Bearer {account.access}"}

    def _path(self, org: uuid.UUID) -> str:
        return f"/v1/orgs/{ORG_ID.text(org)}" if self.target.name == Tenantry.name else f"/orgs/{org}"

    def _limit(self) -> str:
        return f"?limit={SHOWN}" if self.target.name == Tenantry.name else ""

    async def _seed(self) -> None:
        async with Owner(self.target) as owner:
            people = [await owner.fetchval(self.words.user, account.person.email) for account in self.accounts]
            self.fellows = [row[0] for row in await owner.fetch(self.words.fellows, SHOWN + 5)]
            for person, orgs in zip(people, self.orgs, strict=True):
                await owner.execute(self.words.orgs, orgs)
                await owner.execute(self.words.members, orgs, [person] * len(orgs), ["owner"] * len(orgs))
                team = [orgs[0]] * len(self.fellows)
                await owner.execute(self.words.members, team, self.fellows, ["member"] * len(team))

    async def _crowd(self, more: int) -> None:
        async with Owner(self.target) as owner:
            for start in range(0, more, BATCH):
                orgs = [uuid.uuid4() for _ in range(min(BATCH, more - start))]
                people = [self.fellows[number % len(self.fellows)] for number in range(len(orgs))]
                await owner.execute(self.words.orgs, orgs, timeout=300)
                await owner.execute(self.words.members, orgs, people, ["owner"] * len(orgs), timeout=300)


class Owner:
    """A connection that row security lets through: Tenantry's tables bind their owner as well."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.connection: Any = None

    async def __aenter__(self) -> Any:
        self.connection = await asyncpg.connect(self.target.address.url, timeout=10)
        if self.target.name == Tenantry.name:
            await self.connection.execute("set role tenantry_system")
        return self.connection

    async def __aexit__(self, *_: object) -> None:
        # statistics as an autovacuum would have made them by now
        await self.connection.execute("reset role")
        await self.connection.execute("vacuum analyze", timeout=300)
        await self.connection.close()
