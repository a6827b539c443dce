"""`tenantry orgs` as an operator types it."""

from __future__ import annotations

import json
import sys
from typing import Any

from commands import run
from tenantry.testing import Installation


async def _orgs(house: Installation, *words: str, code: int = 0) -> Any:
    done = await run([sys.executable, "-m", "tenantry", "orgs", *words, "--json"], house)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


async def test_an_operator_finds_an_organization_and_who_belongs_to_it(house: Installation) -> None:
    owner, other = await house.person(), await house.person()
    made = (await owner.post("/v1/orgs", {"name": "Harbour Lanterns"})).json
    await other.post("/v1/orgs", {"name": "Somebody Else"})
    [found] = (await _orgs(house, "list", "--search", "bour LAN"))["orgs"]
    assert (found["org"], found["status"], found["members"]) == (made["id"], "open", 1)
    changed = await owner.patch(f"/v1/orgs/{made['id']}", {"slug": "lanterns-two"}, headers={"if-match": "*"})
    assert changed.status == 200, changed
    for named in (made["id"], made["slug"], "lanterns-two"):
        shown = await _orgs(house, "show", "--org", named)
        assert (shown["org"], [(one["user"], one["role"]) for one in shown["people"]]) == (
            made["id"], [(owner.user_id, "owner")],
        )  # fmt: skip


async def test_an_organization_that_is_not_there_is_refused(house: Installation) -> None:
    for named in ("org_01jd4w2q8nf6v9m3x5c7b1r0kt", "no-such-slug", ""):
        assert "There is no such organization." in await _orgs(house, "show", "--org", named, code=1)
