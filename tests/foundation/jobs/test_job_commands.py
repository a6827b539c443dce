"""`tenantry jobs` as an operator types it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tenantry.foundation.data.ids import JOB_ID, ORG_ID
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.worker import Worker
from tenantry.testing import Installation, Team
from tenantry.testing.installation import MASTER_KEYS
from tenantry.testing.team import ask_for

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KIND = "commands.trial"
SECRET = '{"secret": "lantern"}'
DEAD = """
    insert into tenantry.dead_letters (id, asked_at, run_at, org_id, priority, version, attempt, max_attempts, kind,
                                       queue, request_id, reason, args)
    select $1, tenantry.now(), tenantry.now(), $2, 0, 1, 7, 7, $3, 'default', 'req', 'it was not to be',
           '{"secret": "lantern"}'
    returning id
"""


def _environ(house: Installation) -> dict[str, str]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("TENANTRY_")}
    return inherited | {
        "TENANTRY_ENVIRONMENT": "development",
        "TENANTRY_DATABASE_URL": house.runtime.database.url,
        "TENANTRY_DATA": house.runtime.settings.data,
        "TENANTRY_MASTER_KEYS": MASTER_KEYS,
    }


async def _run(command: list[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run, command, env=environ, capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


async def _jobs(house: Installation, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return await _run([sys.executable, "-m", "tenantry", "jobs", *words], _environ(house) | environ)


async def _answer(house: Installation, *words: str) -> Any:
    done = await _jobs(house, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def _letter(house: Installation, *, org: str | None = None, kind: str = KIND) -> str:
    job = JOB_ID.new()
    await house.rows(DEAD, job, ORG_ID.read(org) if org else None, kind)
    return JOB_ID.text(job)


@pytest.fixture
async def team(house: Installation) -> Team:
    """An organization in a queue in which nothing stands."""
    made = await house.team()
    for table in ("jobs", "job_runs", "dead_letters"):
        await house.rows(f"delete from tenantry.{table} returning id")
    return made


async def test_what_waits_and_runs_is_listed_by_kind_queue_and_organization(house: Installation, team: Team) -> None:
    runs = await ask_for(house.runtime, team.org, team.owner, NewJob(KIND))
    await Worker(house.runtime, ())._claim(10)
    waits = await ask_for(house.runtime, team.org, team.owner, NewJob(KIND, SECRET, queue="slow", tracked=True))
    await house.rows("insert into tenantry.jobs (id, kind) values (gen_random_uuid(), 'commands.other') returning id")
    listed = await _answer(house, "list", "--kind", KIND)
    assert [(row["job"], row["state"], row["org"]) for row in listed] == [
        (runs, "running", team.org),
        (waits, "waiting", team.org),
    ]
    assert len(await _answer(house, "list")) == 3
    assert [row["job"] for row in await _answer(house, "list", "--queue", "slow")] == [waits]
    assert len(await _answer(house, "list", "--org", team.org)) == 2
    assert [row["job"] for row in await _answer(house, "list", "--org", team.org, "--limit", "1")] == [runs]
    shown = await _jobs(house, "list")
    assert [line.split()[1] for line in shown.stdout.splitlines()] == ["running", "waiting", "waiting"]


async def test_what_a_job_was_given_is_printed_on_demand_only(house: Installation, team: Team) -> None:
    waits = await ask_for(house.runtime, team.org, team.owner, NewJob(KIND, SECRET, tracked=True))
    await _letter(house)
    for words in (["list"], ["show", waits], ["dead"]):
        for form in ([], ["--json"]):
            silent, loud = await _jobs(house, *words, *form), await _jobs(house, *words, *form, "--args")
            assert silent.returncode == loud.returncode == 0, loud.stderr
            assert waits in silent.stdout or words == ["dead"]
            assert "lantern" not in silent.stdout
            assert "lantern" in loud.stdout


async def test_a_job_is_shown_where_it_stands_with_its_report(house: Installation, team: Team) -> None:
    job = await ask_for(house.runtime, team.org, team.owner, NewJob(KIND, tracked=True))
    known = await _answer(house, "show", job)
    assert (known["job"]["state"], known["report"]["state"]) == ("waiting", "waiting")
    assert known["job"]["person"] == team.owner.user_id
    found = await house.rows("delete from tenantry.jobs where kind = $1 returning id", KIND)
    # as the logs write it
    gone = await _answer(house, "show", str(found[0]["id"]))
    assert (gone["job"], gone["report"]["state"]) == (None, "cancelled")


async def test_a_dead_letter_is_put_back_by_its_id_or_with_all_of_its_kind(house: Installation, team: Team) -> None:
    one, other, third = await _letter(house, org=team.org), await _letter(house), await _letter(house, kind="a.b")
    listed = await _answer(house, "dead")
    assert [(row["job"], row["reason"]) for row in listed] == [(job, "it was not to be") for job in (third, other, one)]
    assert [row["job"] for row in await _answer(house, "dead", "--org", team.org)] == [one]
    assert [row["job"] for row in await _answer(house, "dead", "--after", listed[0]["job"])] == [other, one]
    assert await _answer(house, "redrive", third) == {"redriven": 1}
    assert await _answer(house, "redrive", "--kind", KIND) == {"redriven": 2}
    assert await _answer(house, "dead") == []
    back = await house.rows("select attempt, max_attempts from tenantry.jobs")
    assert [tuple(row) for row in back] == [(7, 14)] * 3
    noted = await house.rows("select actor_name from tenantry.audit_log where action = 'house:dead_letters:redriven'")
    assert {row["actor_name"] for row in noted} == {"jobs redrive"}


async def test_as_many_as_there_are_of_a_kind_are_put_back(house: Installation, team: Team) -> None:
    many = DEAD.replace("select $1,", "select gen_random_uuid(),").replace("$2", "null").replace("$3", "$1")
    await house.rows(many.replace("returning", "from generate_series(1, 2300) returning"), KIND)
    assert await _answer(house, "redrive", "--kind", KIND) == {"redriven": 2300}


async def test_a_dead_letter_is_dropped_by_name(house: Installation, team: Team) -> None:
    one, other = await _letter(house), await _letter(house)
    assert await _answer(house, "drop", one) == {"dropped": 1}
    assert [row["job"] for row in await _answer(house, "dead")] == [other]


async def test_a_queue_is_paused_and_resumed(house: Installation, team: Team) -> None:
    await ask_for(house.runtime, team.org, team.owner, NewJob(KIND))
    assert await _answer(house, "pause", "default") == {"queue": "default", "paused": True}
    (known,) = [row for row in await _answer(house, "queues") if row["name"] == "default"]
    assert (known["due"], known["running"]) == (1, 0)
    assert known["paused_at"] is not None
    assert await house.drain_jobs() == 0
    assert await _answer(house, "resume", "default") == {"queue": "default", "paused": False}
    assert await house.drain_jobs() == 1
    noted = await house.rows("select action from tenantry.audit_log where action like 'house:queue:%' order by id")
    assert [row["action"] for row in noted] == ["house:queue:paused", "house:queue:resumed"]


async def test_a_job_is_cancelled_by_name(house: Installation, team: Team) -> None:
    job = await ask_for(house.runtime, team.org, team.owner, NewJob(KIND, tracked=True))
    assert await _answer(house, "cancel", job) == {"job": job, "cancelled": "removed"}
    assert (await _answer(house, "show", job))["report"]["state"] == "cancelled"
    noted = await house.rows("select target_id from tenantry.audit_log where action = 'house:job:cancelled'")
    assert [JOB_ID.text(row["target_id"]) for row in noted] == [job]


async def test_the_exit_code_says_what_went_wrong(house: Installation, team: Team) -> None:
    unknown = JOB_ID.text(JOB_ID.new())
    away = {"TENANTRY_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"}
    refused = [["show", unknown], ["redrive", unknown], ["drop", unknown], ["dead", "--after", unknown]]
    refused += [["cancel", unknown], ["resume", "never-paused"]]
    misused = [["show", "nonsense"], ["redrive"], ["drop"], ["redrive", unknown, "--kind", "x"]]
    misused += [["pause", ""], ["list", "--limit", "0"], ["list", "--org", "acme"]]
    for words in refused:
        done = await _jobs(house, *words)
        assert (done.returncode, "Traceback" in done.stderr) == (1, False), (words, done.stderr)
    for words in misused:
        assert (await _jobs(house, *words)).returncode == 2, words
    assert (await _jobs(house, "list", **away)).returncode == 3


async def test_what_the_page_for_operators_shows_works_as_it_stands(house: Installation, team: Team) -> None:
    for _ in range(3):
        await _letter(house, org=team.org, kind="orgs.mail_invite")
    await ask_for(house.runtime, team.org, team.owner, NewJob(KIND, delay=1e6, tracked=True))
    blocks = BLOCK.findall((ROOT / "docs/howto/operate-jobs.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 4
    beside = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = await _run(["bash", "-c", "set -euo pipefail\n" + "".join(blocks)], _environ(house) | {"PATH": beside})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "redriven: 1\n" in done.stdout
    assert "dropped: 1\n" in done.stdout
