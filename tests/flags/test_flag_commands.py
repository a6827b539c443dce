"""`tenantry flags` as an operator types it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flag_kit import flags_as, put, seen

from commands import run_with_plans
from tenantry.testing import Installation

ROOT = Path(__file__).parents[2]


async def flags(house: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    return await run_with_plans([sys.executable, "-m", "tenantry", "flags", *words], house)


async def answer(house: Installation, *words: str) -> Any:
    done = await flags(house, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_a_flag_is_made_ruled_and_seen_by_a_running_server(house: Installation) -> None:
    team = await house.team()
    made = await answer(house, "set", "--key", "typed", "--kind", "boolean", "--visible", "--team", "core")
    assert (made["version"], made["variants"], made["default"], made["team"]) == (
        1,
        {"on": True, "off": False},
        "off",
        "core",
    )
    ruled = await answer(house, "rule", "--key", "typed", "--variant", "on", "--org", team.org, "--role", "owner")
    assert ruled["rules"] == [
        {
            "variant": "on",
            "when": [{"about": "org", "values": [team.org]}, {"about": "role", "values": ["owner"]}],
        }
    ]
    await seen(house.runtime)
    assert (await flags_as(house, team.owner, team.org)).is_on("typed")
    assert not (await flags_as(house, team.member, team.org)).is_on("typed")
    answered = (await team.owner.get(f"{team.path}/flags")).json["items"]
    assert next(one for one in answered if one["key"] == "typed")["value"] is True
    first = await answer(house, "rule", "--key", "typed", "--percent", "12.5", "--at", "1", "--if-version", "2")
    assert first["rules"][0] == {"split": [{"variant": "on", "weight": 12_500}]}
    listed = {one["key"]: one for one in (await answer(house, "list"))["flags"]}
    assert (listed["typed"]["rules"], listed["typed"]["version"], listed["typed"]["killed"]) == (2, 3, False)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "--key", "gone"), 1, "There is no flag gone"),
        (("set", "--key", "gone"), 2, "with --kind it is made"),
        (("set", "--key", "Gone", "--kind", "boolean"), 2, "--key is 1 to 64 small letters"),
        (("set", "--key", "gone", "--kind", "colour"), 2, "--kind is one of"),
        (("set", "--key", "gone", "--kind", "string"), 2, "a string needs --variants"),
        (("set", "--key", "gone", "--kind", "string", "--variants", "{", "--default", "a"), 2, "--variants:"),
        (("set", "--key", "gone", "--kind", "string", "--variants", '{"a": 1}', "--default", "a"), 1, "is no string"),
        (("set", "--key", "there", "--variants", '{"on": ' + "[" * 20_000), 2, "nested too deep"),
        (("set", "--key", "there", "--description", "\udcff"), 1, "no Unicode"),
        (("set", "--key", "there", "--kind", "string"), 2, "--kind is boolean and stays it"),
        (("set", "--key", "there", "--team", "Ada Lovelace"), 2, "team"),
        (("set", "--key", "there", "--expires", "soon"), 2, "--expires is a moment"),
        (("set", "--key", "there", "--rules", '[{"who": "me"}]'), 2, "unknown field"),
        (("set", "--key", "there", "--default", "gone"), 1, "there is no variant gone"),
        (("set", "--key", "there", "--if-version", "7"), 1, "changed in the meantime"),
        (("rule", "--key", "there", "--percent", "101"), 2, "0 to 100"),
        (("rule", "--key", "there", "--percent", "1.0001"), 2, "0 to 100"),
        (("rule", "--key", "there", "--split", "on"), 2, "--split is such as"),
        (("rule", "--key", "there", "--split", "on=5", "--percent", "5"), 2, "--split goes without"),
        (("rule", "--key", "there", "--org", "acme"), 1, "org is an id such as"),
        (("rule", "--key", "there", "--needs", "there=on"), 1, "it needs itself"),
        (("rule", "--key", "there", "--needs", "there"), 2, "--needs is such as"),
        (("rule", "--key", "there", "--when", '{"about": "x"}'), 2, "--when:"),
        (("rule", "--key", "there", "--at", "3"), 2, "--at is 1 to 1"),
        (("rule", "--key", "there", "--by", "moon"), 2, "Invalid enum value"),
        (("unrule", "--key", "there", "--number", "1"), 2, "the flag has no rules"),
        (("widen", "--key", "gone", "--number", "1", "--percent", "5"), 1, "There is no flag gone"),
        (("kill", "--key", "gone"), 1, "There is no flag gone"),
        (("override", "--org", "acme", "--key", "there", "--variant", "on", "--reason", "x"), 2, "--org is an id"),
        (("lift", "--org", "org_01jd4w2q8nf6v9m3x5c7b1r0kt", "--key", "there"), 1, "has no override"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    house: Installation, words: tuple[str, ...], code: int, said: str
) -> None:
    await put(house, "there")
    [before] = await house.rows("select version from tenantry.flags_version")
    done = await flags(house, *words)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert [before] == await house.rows("select version from tenantry.flags_version")


async def test_what_the_guide_types_works(house: Installation) -> None:
    guide = (ROOT / "docs/howto/flags.md").read_text(encoding="utf-8")
    typed = "\n".join(re.findall(r"^<!-- run -->\n```sh\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL))
    team = await house.team()
    script = f'tenantry() {{ {sys.executable} -m tenantry "$@"; }}; org={team.org}; {typed}'
    done = await run_with_plans(["bash", "-euc", script], house)
    assert done.returncode == 0, done.stderr
    async with asyncio.timeout(60):
        shown = await answer(house, "show", "--key", "new_editor")
    assert [rule.get("note", "") for rule in shown["rules"]] == ["they asked for it", ""]
    assert shown["rules"][1]["split"] == [{"variant": "on", "weight": 12_500}]
    assert "page_size" in done.stdout.rpartition("stale:")[2]
