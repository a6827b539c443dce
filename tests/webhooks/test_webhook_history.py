"""What an organization's endpoints were at any instant comes back from its events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from receiving import Receiver
from webhook_kit import Hook, make_hook

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.events.folding import fold
from tenantry.foundation.work import SystemWork
from tenantry.testing import Installation, Team
from tenantry.webhooks import history

NAMES = history.EndpointThen.__struct_fields__


async def test_every_column_of_the_endpoints_comes_back_or_is_named(hook: Hook) -> None:
    [one] = history.FOLDS
    found = await hook.house.rows(
        "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped",
        f"tenantry.{one.table}",
    )
    assert {row["attname"] for row in found} == {*NAMES, *one.left_out}


async def _now(house: Installation, team: Team) -> tuple[datetime, list[dict[str, Any]]]:
    [moment] = await house.rows("select tenantry.tick() as now")
    rows = await house.rows("select * from tenantry.webhook_endpoints where org_id = $1 order by id", _org(team))
    return moment["now"], [{name: row[name] for name in NAMES} for row in rows]


async def _then(house: Installation, team: Team, at: datetime) -> list[dict[str, Any]]:
    async with SystemWork(Call(house.runtime, Actor("job"), "a-test"), reason="a test", reading=True) as work:
        tables = await fold(work, house.registry.folds, org_id=_org(team), at=at)
    found = [{name: getattr(row, name) for name in NAMES} for row in tables["webhook_endpoints"]]
    return sorted(found, key=lambda row: str(row["id"]))


def _org(team: Team) -> Any:
    return ORG_ID.read(team.org)


async def test_endpoints_are_folded_as_they_stood(
    reaching: tuple[Installation, Receiver], team: Team, hook: Hook
) -> None:
    house, receiver = reaching
    instants = [await _now(house, team)]
    await make_hook(house, team.admin, team.org, receiver.url, headers={"X-A": "a", "X-B": "b"}, description="Ours")
    for method, path, body in (
        ("PATCH", hook.path, {"url": f"{receiver.url}?more", "headers": {"X-C": "c"}, "ordered": True}),
        ("PATCH", hook.path, {"events": [], "payload_version": "2026-01-02", "enabled": False}),
        ("POST", f"{hook.path}/rotation", None),
        ("PATCH", hook.path, {"enabled": True, "description": "Theirs"}),
        ("DELETE", hook.path, None),
    ):
        assert (await team.owner.request(method, path, body=body)).status in {200, 204}
        instants.append(await _now(house, team))
    await house.drain_jobs()
    instants.append(await _now(house, team))
    assert len(instants[-1][1]) == 1
    for at, stood in instants:
        assert await _then(house, team, at) == stood
