"""`tenantry keys` as an operator types it, and what the guide types."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from key_kit import make, opens

from commands import run
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.security.api_keys import new_key
from tenantry.testing import Installation

ROOT = Path(__file__).parents[2]


async def keys(house: Installation, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return await run([sys.executable, "-m", "tenantry", "keys", *words, "--json"], house, typed=typed)


async def answer(house: Installation, *words: str, typed: str = "") -> Any:
    done = await keys(house, *words, typed=typed)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_keys_are_listed_without_their_secrets_and_revoked(house: Installation) -> None:
    team = await house.team()
    made, other = await make(house, team.owner, team.org), await make(house, team.admin, team.org, kind="service")
    done = await keys(house, "list", "--org", team.org)
    assert made.secret.split("_")[3][:20] not in done.stdout
    assert [one["key"] for one in json.loads(done.stdout)["keys"]] == [other.id, made.id]
    assert await answer(house, "revoke", "--key", made.id) == {"key": made.id, "revoked": True}
    assert not await opens(team, made.program)
    assert [one["key"] for one in (await answer(house, "list", "--org", team.org))["keys"]] == [other.id]
    again = await keys(house, "revoke", "--key", made.id)
    assert (again.returncode, json.loads(again.stdout)["revoked"]) == (1, False)


async def test_a_leaked_key_is_revoked_whosever_it_is_and_the_audit_log_says_why(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    done = await keys(house, "leaked", typed=f"  {made.secret}\n")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "known": True, "key": made.id, "org": team.org, "revoked": True, "why_not": None,
    }  # fmt: skip
    assert made.secret[-20:] not in done.stdout + done.stderr
    assert not await opens(team, made.program)
    [entry] = (await team.owner.get(f"{team.path}/audit-log?action=api_keys:key:revoked")).json["items"]
    assert (entry["actor"]["kind"], entry["after"]) == ("cli", {"why": "leaked"})
    told = await answer(house, "leaked", typed=made.secret)
    assert (told["revoked"], told["why_not"]) == (False, "the key is revoked or expired already")


async def test_a_leaked_secret_that_was_replaced_leaves_the_key_alone(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    rotated = (await team.owner.post(f"{made.path}/rotation", {"overlap_seconds": 0})).json
    told = await answer(house, "leaked", typed=made.secret)
    assert (told["known"], told["key"], told["revoked"]) == (True, made.id, False)
    assert (await team.owner.get(made.path)).json["status"] == "live"
    during = (await team.owner.post(f"{made.path}/rotation", {"overlap_seconds": 3600})).json
    assert during["id"] == made.id
    assert (await answer(house, "leaked", typed=rotated["secret"]))["revoked"] is True, "it still opened the key"


@pytest.mark.parametrize(
    ("words", "typed", "code", "said"),
    [
        (("leaked",), "tnt_personal_live_not-a-key", 2, "is no API key"),
        (("leaked",), new_key("service", "live").reveal(), 1, ""),
        (("revoke", "--key", "tnt_personal_live_0"), "", 2, "--key is an id"),
        (("list", "--org", "acme"), "", 2, "--org is an id"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    house: Installation, words: tuple[str, ...], typed: str, code: int, said: str
) -> None:
    done = await keys(house, *words, typed=typed)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr


async def test_what_the_guide_types_works(house: Installation) -> None:
    guide = (ROOT / "docs/howto/api-keys.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^<!-- run -->\n```sh\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    team = await house.team()
    named = {"token": team.owner.tokens["access_token"], "org": team.org, "url": house.origin}
    start = "".join(f"{name}={value}\n" for name, value in named.items())
    # the guide's own words, with the python of the tests for whatever reads JSON
    tools = f'tenantry() {{ {sys.executable} -m tenantry "$@"; }}\nfield() {{ {FIELD} "$1"; }}\n'
    done = await run(["bash", "-euo", "pipefail", "-c", tools + start + "".join(blocks)], house)
    assert done.returncode == 0, done.stdout + done.stderr
    [row] = await house.rows("select id, revoked_at from tenantry.api_keys where org_id = $1", ORG_ID.read(team.org))
    assert row["revoked_at"] is not None
    await house.assert_recorded("api_keys.key_rotated", key_id=str(row["id"]))
    await house.assert_recorded("api_keys.key_revoked", key_id=str(row["id"]), why="leaked")


FIELD = f"{sys.executable} -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])'"
