"""Roles: which permissions each holds, told by the API, by the command line and by what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from org_closing import Place, founded

from tenantry.foundation.domain import Registry
from tenantry.foundation.permission import ANYONE, EVERYWHERE, ROLES, Role, rank
from tenantry.orgs.models import may_govern
from tenantry.testing import Client, Installation

# a change here is a change of what people in every installation may do: it is meant to be looked at
MATRIX = """
                  owner admin member
    api_keys:own      x     x      x
    api_keys:read     x     x      -
    api_keys:write    x     x      -
    audit:read        x     x      -
    billing:read      x     x      -
    billing:write     x     x      -
    entitlements:read x     x      x
    events:read       x     x      -
    flags:read        x     x      x
    jobs:read         x     x      -
    members:invite    x     x      -
    members:leave     x     x      x
    members:read      x     x      x
    members:write     x     x      -
    org:close         x     -      -
    org:read          x     x      x
    org:transfer      x     -      -
    org:write         x     x      -
    quotas:read       x     x      x
    usage:read        x     x      x
    usage:write       x     x      -
    webhooks:read     x     x      -
    webhooks:write    x     x      -
"""


def _table() -> dict[str, set[str]]:
    """The permissions of each role, as the table above has them."""
    head, *lines = [line.split() for line in MATRIX.strip().splitlines()]
    return {role: {name for name, *held in lines if held[place] == "x"} for place, role in enumerate(head)}


async def _served(house: Installation) -> dict[str, list[str]]:
    answer = await house.client.get("/v1/roles")
    assert answer.status == 200
    return {item["role"]: item["permissions"] for item in answer.json["items"]}


async def test_the_roles_hold_what_the_table_says(house: Installation) -> None:
    served = await _served(house)
    assert list(served) == ["owner", "admin", "member"]
    assert served == {role: sorted(held) for role, held in _table().items()}


async def test_every_permission_of_a_role_is_in_the_matrix(house: Installation) -> None:
    served = {name for held in (await _served(house)).values() for name in held}
    assert served == {one.name for one in house.registry.permissions if one.roles}
    assert not served & {one.name for one in EVERYWHERE}


async def test_each_role_holds_all_that_the_one_below_it_holds(house: Installation, registry: Registry) -> None:
    served = await _served(house)
    for higher, lower in pairwise(("owner", "admin", "member")):
        assert set(served[higher]) > set(served[lower])
    for permission in registry.permissions:
        assert permission.roles == ROLES[len(ROLES) - len(permission.roles) :], permission.name


def test_every_operation_in_an_organization_needs_a_permission_of_a_role(registry: Registry) -> None:
    inside = [route for route in registry.routes if route.in_org]
    assert inside
    assert not [route.path for route in inside if not route.requires.roles]
    assert not [route.path for route in registry.routes if route.requires.roles and not route.in_org]


def test_the_command_line_names_the_roles_of_each_operation(registry: Registry) -> None:
    command = [sys.executable, "-m", "tenantry", "routes", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    told = {(row["method"], row["path"]): (row["permission"], row["roles"]) for row in json.loads(done.stdout)}
    table = _table()
    for route in registry.routes:
        permission, roles = told[route.method, route.path]
        assert permission == route.requires.name
        assert set(roles) == {role for role, held in table.items() if permission in held}
        assert route.public is (route.requires == ANYONE)


@pytest.fixture(scope="module")
async def people(house: Installation) -> tuple[Place, dict[Role, Client]]:
    """An organization and somebody in each role of it."""
    place = await founded(house)
    return place, {"owner": place.owner, "admin": await place.joined("admin"), "member": await place.joined("member")}


async def test_every_operation_refuses_whoever_lacks_its_permission(
    house: Installation, people: tuple[Place, dict[Role, Client]]
) -> None:
    place, by_role = people
    table, refused = _table(), 0
    for route in (route for route in house.registry.routes if route.in_org):
        ids: dict[str, Any] = {name: kind.text(kind.new()) for name, kind in route.ids.items()}
        asked = {"body": route.example if route.body is not None else None, "headers": {"if-match": "*"}}
        for role, person in by_role.items():
            if route.requires.name in table[role]:
                continue
            answer = await person.request(route.method, route.path.format_map(ids | {"org": place.id}), **asked)
            assert (answer.status, answer.code) == (403, "forbidden"), (role, route.method, route.path, answer)
            assert answer.json["permission"] == route.requires.name
            refused += 1
    assert refused > 5


async def test_what_a_key_can_hold_is_told_and_is_nothing_of_a_persons_own(house: Installation) -> None:
    scopes = (await house.client.get("/v1/roles")).json["scopes"]
    assert set(scopes) <= set(_table()["owner"])
    own = {"org:close", "org:transfer", "members:leave", "api_keys:own", "api_keys:read", "api_keys:write"}
    assert set(_table()["owner"]) - set(scopes) == own


def test_nobody_governs_a_role_above_their_own() -> None:
    for own in ROLES:
        assert [other for other in ROLES if may_govern(own, other)] == list(ROLES[: rank(own) + 1])
