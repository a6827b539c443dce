"""Keeping somebody out: nobody signs in to the account, and what was signed in is not any more."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from closing import id_of, on_schedule, sign_in

from commands import run
from tenantry.testing import Installation

TENANTRY = [sys.executable, "-m", "tenantry"]
GUIDE = Path(__file__).parents[2] / "docs/howto/look-after-people.md"
WHY = "charged back twice"


async def _users(house: Installation, *words: str) -> Any:
    done = await run([*TENANTRY, "users", *words, "--json"], house)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_a_disabled_person_is_out_at_once_and_cannot_come_in(house: Installation) -> None:
    person = await house.person()
    assert (await person.get("/v1/users/me")).status == 200
    shown = await _users(house, "disable", "--user", person.email, "--why", WHY)
    assert (shown["status"], shown["disabled_why"], shown["sessions"]) == ("disabled", WHY, 0)
    assert (await person.get("/v1/users/me")).status == 401
    assert (await sign_in(house, person.email)).status == 401
    assert (await _users(house, "enable", "--user", shown["user"]))["enabled"]
    assert (await sign_in(house, person.email)).status == 200
    assert not (await _users(house, "enable", "--user", shown["user"]))["enabled"]


async def test_a_person_is_let_in_again_when_the_time_is_over(house: Installation) -> None:
    person, other = await house.person(), await house.person()
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for one, words in ((person, ["--until", until]), (other, [])):
        await _users(house, "disable", "--user", one.email, "--why", WHY, *words)
    await on_schedule(house, "accounts.enable_when_due")
    assert (await sign_in(house, person.email)).status == 401
    await house.rows(
        "update tenantry.disablings set until = tenantry.now() - interval '1 s' where user_id = $1 returning user_id",
        id_of(person),
    )
    await on_schedule(house, "accounts.enable_when_due")
    assert (await sign_in(house, person.email)).status == 200
    assert (await sign_in(house, other.email)).status == 401


async def test_disabling_and_enabling_are_audited_with_the_reason_apart(house: Installation) -> None:
    person = await house.person()
    await _users(house, "disable", "--user", person.email, "--why", WHY)
    await _users(house, "enable", "--user", person.email)
    rows = await house.rows(
        """select action, actor_kind, actor_name, after::text, named::text
             from tenantry.audit_log left join tenantry.details on details.row_id = audit_log.id and about = 'subject'
            where target_id = $1 and action like 'accounts:person:%abled' order by audit_log.at""",
        id_of(person),
    )
    assert [tuple(row) for row in rows] == [
        ("accounts:person:disabled", "cli", "users disable", '{"until": null}', f'{{"why": "{WHY}"}}'),
        ("accounts:person:enabled", "cli", "users enable", None, None),
    ]


async def test_people_are_found_by_a_part_of_address_or_name(house: Installation) -> None:
    person, other = await house.person(), await house.person()
    await _users(house, "disable", "--user", person.email, "--why", WHY)
    found = await _users(house, "list", "--search", person.email.upper()[:-3])
    assert [one["email"] for one in found["users"]] == [person.email]
    disabled = [one["email"] for one in (await _users(house, "list", "--disabled"))["users"]]
    assert person.email in disabled
    assert other.email not in disabled


async def test_the_guide_does_what_it_says(house: Installation) -> None:
    ada = await house.person("ada@example.com")
    await ada.post("/v1/orgs", {"name": "Acme", "slug": "acme"})
    commands = [shlex.split(line) for line in GUIDE.read_text().splitlines() if line.startswith("    tenantry ")]
    told = [await run([sys.executable, "-m", *words], house) for words in commands]
    assert [(done.returncode, done.stderr) for done in told] == [(0, "")] * len(commands)
    assert [done.stdout.splitlines()[-1] for done in told[3:5]] == ["enabled: True", "sessions: 0"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["show", "--user", "nobody@example.com"], 1),
        (["show", "--user", "not an address"], 1),
        (["disable", "--user", "demo", "--why", "x"], 1),
        (["disable", "--user", "{email}", "--why", " "], 1),
        (["disable", "--user", "{email}", "--why", "x" * 501], 1),
        (["disable", "--user", "{email}", "--why", "x", "--until", "2026-01-01"], 1),
        (["disable", "--user", "{email}", "--why", "x", "--until", "tomorrow"], 2),
    ],
)
async def test_what_cannot_be_meant_is_refused(house: Installation, words: list[str], code: int) -> None:
    person = await house.person()
    done = await run([*TENANTRY, "users", *(word.format(email=person.email) for word in words)], house)
    assert (done.returncode, bool(done.stderr)) == (code, True)
    assert (await _users(house, "show", "--user", person.email))["status"] == "active"
