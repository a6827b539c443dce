"""`tenantry shell`: code from standard input and lines at a terminal, in an assembled installation, as `cli`."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from select import select

import pytest

from commands import run
from tenantry.testing import Installation
from tenantry.testing.installation import MASTER_KEYS

GUIDE = Path(__file__).parents[2] / "docs/howto/use-the-shell.md"
COMMANDS = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = [sys.executable, "-m", "tenantry", "shell"]
ANSWERS_WITHIN = 30.0


async def typed(house: Installation, code: str, **more: str) -> subprocess.CompletedProcess[str]:
    return await run(SHELL, house, typed=code, **more)


async def test_code_from_standard_input_finds_the_installation(house: Installation) -> None:
    team = await house.team("Shelves")
    done = await typed(
        house,
        "def name_of(row):\n"
        "    return row['name']\n"
        "\n"
        "found = await rows('select name from tenantry.orgs where name = $1', 'Shelves')\n"
        "print([name_of(row) for row in found])\n"
        f"async with in_org('{team.org}', reason='to look') as work:\n"
        "    print(await work.connection.fetchval('select count(*) from tenantry.orgs'))\n"
        "print(call.actor.kind, runtime.settings.environment, len(registry.domains) > 5)\n",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["['Shelves']", "1", "cli development True"]


async def test_what_it_writes_stands_in_the_audit_log_as_cli(house: Installation) -> None:
    team = await house.team()
    done = await typed(
        house,
        "from tenantry.foundation.data.ids import ORG_ID, USER_ID\n"
        "from tenantry.orgs.actions import add_member\n"
        f"org, person = ORG_ID.read('{team.org}'), USER_ID.read('{team.stranger.user_id}')\n"
        "async with as_house(reason='she asked for it by phone') as work:\n"
        "    await add_member(work, org_id=org, user_id=person, role='member')\n"
        f"async with in_org('{team.org}', reason='the name was a mistake') as work:\n"
        "    await work.connection.execute(\"update tenantry.orgs set name = 'Mended'\")\n"
        "async with in_org(org, reason='not in the end') as work:\n"
        "    raise RuntimeError\n",
    )
    assert done.returncode == 1
    assert (await team.stranger.get(team.path)).json["name"] == "Mended"
    rows = await house.rows("select action, after->>'reason' from tenantry.audit_log where actor_name = 'shell'")
    assert {tuple(row) for row in rows if row[1] != "to look"} == {
        ("house:shell:worked", "she asked for it by phone"),
        ("orgs:member:joined", None),
        ("house:shell:worked", "the name was a mistake"),
    }
    assert len(await house.rows("select from tenantry.orgs where name = 'Mended'")) == 1


async def test_a_look_can_change_nothing(house: Installation) -> None:
    done = await typed(house, "await rows(\"update tenantry.orgs set name = 'Gone' returning id\")")
    assert done.returncode == 1
    assert not await house.rows("select from tenantry.orgs where name = 'Gone'")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("print('before')\n1 / 0\nprint('after')", 'File "<stdin>", line 2, in <module>'),
        ("print('before')\nawait rows('select 1 / 0')", "Traceback"),
        ("print('before'\n", "SyntaxError"),
        ("in_org('usr_1', reason='')", "ValueError: 'usr_1' is not the id of an organization"),
        ("raise ValueError('postgresql://ada:hunter2@db/x')", "ValueError: postgresql://"),
    ],
)
async def test_what_fails_is_shown_and_ends_with_1(house: Installation, code: str, shown: str) -> None:
    done = await typed(house, code)
    assert (done.returncode, "after" in done.stdout) == (1, False)
    assert shown in done.stderr
    assert "hunter2" not in done.stderr
    assert "prompt.py" not in done.stderr


async def test_what_the_guide_shows_works_as_it_stands(house: Installation) -> None:
    await house.team()
    [script] = COMMANDS.findall(GUIDE.read_text(encoding="utf-8"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = await run(["bash", "-c", f"set -euo pipefail\n{script}"], house, PATH=path)
    assert done.returncode == 0, done.stderr
    assert "[{'organizations': " in done.stdout
    assert '"action":"house:shell:worked"' in done.stdout
    assert "ticket 4711" in done.stdout


async def test_it_ends_as_it_is_told_to(house: Installation) -> None:
    assert (await typed(house, "raise SystemExit(7)")).returncode == 7
    away = await typed(house, "await rows('select 1')", TENANTRY_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (away.returncode, "the database" in away.stderr.lower()) == (3, True)


async def test_at_a_terminal_lines_are_performed_one_by_one(house: Installation) -> None:
    await house.team("Typed")
    said = await asyncio.to_thread(
        _at_terminal,
        house,
        [
            "1 / 0",
            "found = await rows(\"select name from tenantry.orgs where name = 'Typed'\")",
            "found[0]['name'] * 2",
        ],
    )
    assert "as_house(reason=" in said
    assert "audit log, as `cli`" in said
    assert "ZeroDivisionError: division by zero" in said
    assert "'TypedTyped'" in said
    assert "KeyboardInterrupt" in said.rpartition("begun")[2]


def _at_terminal(house: Installation, lines: list[str]) -> str:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("TENANTRY_")}
    environ |= {
        "TENANTRY_ENVIRONMENT": "development", "TENANTRY_DATABASE_URL": house.runtime.database.url,
        "TENANTRY_MASTER_KEYS": MASTER_KEYS, "TENANTRY_DATA": house.runtime.settings.data, "TERM": "dumb",
    }  # fmt: skip
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(SHELL, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True)
    os.close(theirs)
    try:
        said = _until_asked(ours)
        for line in lines:
            os.write(ours, f"{line}\n".encode())
            said += _until_asked(ours)
        os.write(ours, b"import asyncio; print('be' + 'gun'); await asyncio.sleep(600)\n")
        said += _until(ours, "begun")
        shell.send_signal(signal.SIGINT)
        said += _until_asked(ours)
        os.write(ours, b"exit()\n")
        assert shell.wait(ANSWERS_WITHIN) == 0, said
    finally:
        shell.kill()
        os.close(ours)
    return said


def _until_asked(terminal: int) -> str:
    return _until(terminal, ">>> ")


def _until(terminal: int, end: str) -> str:
    said, deadline = "", time.monotonic() + ANSWERS_WITHIN
    while not said.rstrip("\r\n").endswith(end):
        ready, _, _ = select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, said
        with suppress(OSError):
            said += os.read(terminal, 4096).decode(errors="replace")
    return said
