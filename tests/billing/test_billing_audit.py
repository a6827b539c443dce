"""Each operation of billing leaves its rows in the audit log once it is allowed; what is denied, as everywhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from billing_kit import org_uuid
from selling_kit import Shop

from tenantry.assemble import registry as build_registry
from tenantry.foundation.data.ids import USER_ID
from tenantry.testing import Response, Team

WRITES = {
    f"{route.method} {route.path}"
    for route in build_registry().routes
    if route.tag == "billing" and route.method != "GET" and "raw" not in route.takes
}
Ask = Callable[[Shop, Team], Awaitable[Response]]


async def _checkout(shop: Shop, team: Team) -> Response:
    return await shop.checkout(team.owner, team, "business")


async def _portal(shop: Shop, team: Team) -> Response:
    await shop.subscribe(team.owner, team, "business")
    return await team.owner.post(f"{team.path}/billing/portal")


async def _preview(shop: Shop, team: Team) -> Response:
    await shop.subscribe(team.owner, team, "growing")
    return await team.owner.post(f"{team.path}/billing/preview", {"plan": "business"})


async def _change(shop: Shop, team: Team) -> Response:
    await shop.subscribe(team.owner, team, "growing")
    return await team.owner.patch(f"{team.path}/billing/subscription", {"plan": "business"})


async def _seats(shop: Shop, team: Team) -> Response:
    await shop.subscribe(team.owner, team, "growing")
    return await team.owner.request("PUT", f"{team.path}/billing/seats", body={"seats": 5})


async def _cancel(shop: Shop, team: Team) -> Response:
    await shop.subscribe(team.owner, team, "business")
    return await team.owner.post(f"{team.path}/billing/cancellation", {})


async def _resume(shop: Shop, team: Team) -> Response:
    await _cancel(shop, team)
    return await team.owner.delete(f"{team.path}/billing/cancellation")


CHANGED = "billing:subscription:changed"
CHANGE = ("billing:subscription:change_asked", CHANGED, "billing:invoice:paid")
ALLOWED: dict[str, tuple[tuple[str, ...], Ask]] = {
    "POST /v1/orgs/{org}/billing/checkout": (("billing:checkout:opened",), _checkout),
    "POST /v1/orgs/{org}/billing/portal": (("billing:portal:opened",), _portal),
    "POST /v1/orgs/{org}/billing/preview": ((), _preview),
    "PATCH /v1/orgs/{org}/billing/subscription": (CHANGE, _change),
    "PUT /v1/orgs/{org}/billing/seats": (CHANGE, _seats),
    "POST /v1/orgs/{org}/billing/cancellation": (("billing:cancellation:asked", CHANGED), _cancel),
    "DELETE /v1/orgs/{org}/billing/cancellation": (("billing:resumption:asked", CHANGED), _resume),
}


def test_every_operation_is_listed() -> None:
    assert ALLOWED.keys() == WRITES


@pytest.mark.parametrize("operation", sorted(ALLOWED))
async def test_what_is_allowed_leaves_its_rows(shop: Shop, operation: str) -> None:
    team = await shop.house.team()
    actions, ask = ALLOWED[operation]
    answer = await ask(shop, team)
    assert answer.status < 300, answer
    found = await shop.house.rows(
        "select * from tenantry.audit_log where request_id = $1 and action like 'billing:%' order by at, id",
        answer.headers["x-request-id"],
    )
    assert sorted(row["action"] for row in found) == sorted(actions)
    for row in found:
        assert (row["outcome"], row["org_id"]) == ("done", org_uuid(team))
        assert row["target_id"] is not None
        assert (row["actor_kind"], row["actor_id"]) == ("person", USER_ID.read(team.owner.user_id))
