"""`tenantry audit` as an operator types it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from trail_kit import house_call
from typer.testing import CliRunner

from tenantry.assemble import build_runtime
from tenantry.audit import actions
from tenantry.entrypoints.cli import build
from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.foundation.work import SystemWork
from tenantry.settings import Reading
from tenantry.testing import Installation


async def _tenantry(house: Installation, *words: str) -> Any:
    """The command on the same database, in a process's own loop."""

    class Same(Assembly):
        def registry(self) -> Any:
            return house.registry

        def equip(self) -> Any:
            runtime = house.runtime
            reading = Reading(settings=runtime.settings, sections=runtime.sections, sources={}, unknown=())
            return build_runtime(reading, house.registry), house.registry

    app = build(Same(lambda: None))
    return await asyncio.to_thread(CliRunner().invoke, app, ["audit", *words])


async def test_a_log_is_printed_a_line_an_entry(installation: Installation) -> None:
    team = await installation.team()
    told = await _tenantry(installation, "list", "--org", team.org, "--limit", "2")
    assert told.exit_code == 0, told.output
    first, *lines = told.stdout.splitlines()
    assert first == "entries: 2"
    assert {json.loads(line)["org"] for line in lines} == {team.org}
    as_json = await _tenantry(installation, "list", "--org", team.org, "--limit", "2", "--json")
    assert len(json.loads(as_json.stdout)["entries"]) == 2


async def test_a_mistake_is_a_usage_error(installation: Installation) -> None:
    assert (await _tenantry(installation, "list", "--org", "acme")).exit_code == 2


async def test_verifying_exits_with_1_when_something_is_wrong(installation: Installation) -> None:
    team = await installation.team()
    await team.owner.patch(team.path, {"name": "Acme Ltd"})
    async with SystemWork(house_call(installation), reason="a test") as work:
        await actions.seal_audit(work)
    good = await _tenantry(installation, "verify")
    assert good.exit_code == 0, good.output
    assert "faults: 0" in good.stdout
    wrong = await _tenantry(installation, "verify", "--seal", "1:00", "--json")
    assert wrong.exit_code == 1
    assert [fault["what"] for fault in json.loads(wrong.stdout)["faults"]] == ["seal missing"]
