"""Jobs that somebody in an organization waits for: who may see how one stands, and what they see."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import JOB_ID, ORG_ID, SESSION_ID, USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import Worker
from tenantry.foundation.work import OrgWork
from tenantry.testing import Client, Installation, Team
from tenantry.testing.team import ask_for

KIND = "orgs.trial"
SAY = "update tenantry.job_reports set done = 3, total = 10, note = 'Reading March' where id = $1 returning id"


@pytest.fixture
async def team(house: Installation) -> Team:
    return await house.team()


async def _asked(house: Installation, team: Team, person: Client, **limits: Any) -> str:
    return await ask_for(house.runtime, team.org, person, NewJob(KIND, tracked=True, **limits))


async def _call(house: Installation, person: Client) -> Call:
    claims = await house.runtime.keys.verify(person.tokens["access_token"])
    actor = Actor("person", person=USER_ID.read(person.user_id), session=SESSION_ID.read(claims.sid))
    return Call(house.runtime, actor, "req")


def _org(team: Team) -> UUID:
    found = ORG_ID.read(team.org)
    assert found is not None
    return found


async def test_who_asked_for_a_job_sees_how_it_stands(house: Installation, team: Team) -> None:
    job = await _asked(house, team, team.member)
    answer = await team.member.get(f"{team.path}/jobs/{job}")
    assert answer.status == 200, answer
    assert answer.json["asked_at"].endswith("Z")
    assert answer.json == {
        "asked_at": answer.json["asked_at"],
        "id": job, "kind": KIND, "state": "waiting", "progress": None, "attempt": 0,
        "started_at": None,
        "ended_at": None,
    }  # fmt: skip


async def test_what_a_job_says_and_how_it_ended_is_read_by_whoever_waits(house: Installation, team: Team) -> None:
    job = await _asked(house, team, team.member)
    worker = Worker(house.runtime, ())
    await worker._claim(100)
    assert await house.rows(SAY, JOB_ID.read(job))
    running = (await team.member.get(f"{team.path}/jobs/{job}")).json
    assert (running["state"], running["attempt"]) == ("running", 1)
    assert running["progress"] == {"done": 3, "total": 10, "note": "Reading March"}
    assert running["started_at"] >= running["asked_at"]
    await house.rows("delete from tenantry.job_runs where id = $1 returning id", JOB_ID.read(job))
    done = (await team.member.get(f"{team.path}/jobs/{job}")).json
    assert (done["state"], done["progress"]["done"]) == ("done", 3)
    assert done["ended_at"] >= done["started_at"]


async def test_a_verb_of_a_member_asks_for_a_job_and_knows_its_id(house: Installation, team: Team) -> None:
    """As the application's role, which may not read the queue."""
    async with OrgWork(await _call(house, team.member), _org(team)) as work:
        first = work.enqueue(NewJob(KIND, tracked=True, key="once", delay=1e6))
        second = work.enqueue(NewJob(KIND, tracked=True, key="once", delay=1e6))
    statuses = [(await team.member.get(f"{team.path}/jobs/{JOB_ID.text(job)}")).status for job in (first, second)]
    assert sorted(statuses) == [200, 404]


async def test_row_security_shows_an_organizations_jobs_in_it_only(house: Installation, team: Team) -> None:
    other = await house.team("Bolt")
    await _asked(house, other, other.owner)
    mine = await _asked(house, team, team.member)
    async with OrgWork(await _call(house, team.member), _org(team), reading=True) as work:
        found = await work.connection.fetch("select id from tenantry.job_reports")
    assert [JOB_ID.text(row["id"]) for row in found] == [mine]


async def test_somebody_elses_job_is_seen_by_those_who_govern_only(house: Installation, team: Team) -> None:
    of_member, of_admin = await _asked(house, team, team.member), await _asked(house, team, team.admin)
    seen = {
        name: [(await person.get(f"{team.path}/jobs/{job}")).status for job in (of_member, of_admin)]
        for name, person in team.people.items()
    }
    assert seen == {"owner": [200, 200], "admin": [200, 200], "member": [200, 404], "stranger": [404, 404]}


async def test_foreign_unknown_untracked_and_malformed_are_the_same_not_found(house: Installation, team: Team) -> None:
    other = await house.team("Bolt")
    foreign = await _asked(house, other, other.owner)
    untracked = await ask_for(house.runtime, team.org, team.owner, NewJob(KIND, delay=1e6))
    unknown = JOB_ID.text(JOB_ID.new())
    answers = [
        await team.owner.get(f"{team.path}/jobs/{job}")
        for job in (foreign, untracked, unknown, "nonsense", "org_01jd4w2q8nf6v9m3x5c7b1r0kt", foreign.upper())
    ]
    assert {answer.status for answer in answers} == {404}
    told = [{name: text for name, text in answer.json.items() if name != "request_id"} for answer in answers]
    assert all(one == told[0] for one in told)


async def test_a_job_of_a_person_alone_is_nobodys_in_an_organization(house: Installation, team: Team) -> None:
    job = await _asked(house, team, team.owner)
    await house.rows("update tenantry.job_reports set org_id = null where id = $1 returning id", JOB_ID.read(job))
    assert (await team.owner.get(f"{team.path}/jobs/{job}")).status == 404


async def test_a_purged_person_leaves_no_report(house: Installation, registry: Registry, team: Team) -> None:
    job, others = await _asked(house, team, team.member), await _asked(house, team, team.owner)
    fate = registry.fates["job_reports"]
    assert fate.ends == "erased"
    assert fate.statement is not None
    sql = fate.statement.sql + " returning id"
    gone = await house.rows(sql, USER_ID.read(team.member.user_id))
    assert [JOB_ID.text(row["id"]) for row in gone] == [job]
    assert (await team.owner.get(f"{team.path}/jobs/{others}")).status == 200
