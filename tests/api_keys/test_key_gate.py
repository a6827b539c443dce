"""What a key opens: exactly what its scopes and its maker's role say, and nothing that is a person's own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from key_kit import asked, keys_path, make, opens, program, set_role

from tenantry.foundation.domain import Registry
from tenantry.foundation.routes import Route
from tenantry.foundation.security.api_keys import new_key, read_key
from tenantry.testing import Client, Databases, Installation, installed

SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BAD, AT_ONCE = 5_000, 50


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation whose streams end soon."""
    environ = {"TENANTRY_STREAM_LIFE": "0.1"}
    async with (
        databases.fresh() as url,
        installed(url, tmp_path_factory.mktemp("gate"), registry=registry, environ=environ) as running,
    ):
        yield running


async def _ask(key: Client, route: Route, org: str) -> Any:
    ids: dict[str, Any] = {name: kind.text(kind.new()) for name, kind in route.ids.items()}
    body = route.example if route.body is not None else None
    path = route.path.format_map(ids | {"org": org})
    return await key.request(route.method, path, body=body, headers={"if-match": "*"})


def _scopes(registry: Registry, role: str) -> list[str]:
    return [one.name for one in registry.permissions if role in one.roles and one.by_key]


async def test_every_operation_in_an_organization_is_open_to_a_key_exactly_as_its_scopes_say(
    house: Installation, registry: Registry
) -> None:
    open_to_keys = {route.requires for route in registry.routes if route.in_org and route.requires.by_key}
    for permission in sorted(open_to_keys, key=lambda one: one.name):
        team = await house.team()
        every = set(_scopes(registry, "owner"))
        one = await make(house, team.owner, team.org, permission.name, kind="service")
        others = await make(house, team.owner, team.org, *sorted(every - {permission.name}), kind="service")
        for route in (route for route in registry.routes if route.requires == permission):
            refused = await _ask(others.program, route, team.org)
            assert (refused.status, refused.code) == (403, "forbidden"), (route.method, route.path, refused)
            assert refused.json["permission"] == permission.name
            let_in = await _ask(one.program, route, team.org)
            assert let_in.status != 401, (route.method, route.path, let_in)
            assert let_in.code not in {"forbidden", "not_by_api_key"}, (route.method, route.path, let_in)


async def test_a_key_has_no_right_that_its_makers_role_has_not(house: Installation, registry: Registry) -> None:
    team = await house.team()
    made = await make(house, team.admin, team.org, *_scopes(registry, "admin"))
    await set_role(house, team.org, team.admin, "member")
    for route in registry.routes:
        if not (route.in_org and route.requires.by_key) or "admin" not in route.requires.roles:
            continue
        answer = await _ask(made.program, route, team.org)
        assert answer.status != 401, (route.method, route.path, answer)
        refused = answer.code == "forbidden"
        assert refused is ("member" not in route.requires.roles), (route.method, route.path, answer)


async def test_what_is_a_persons_own_is_refused_to_every_key(house: Installation, registry: Registry) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org, *_scopes(registry, "owner"))
    refused = 0
    for route in registry.routes:
        if route.public or (route.in_org and route.requires.by_key):
            continue
        answer = await _ask(made.program, route, team.org)
        assert (answer.status, answer.code) == (403, "not_by_api_key"), (route.method, route.path, answer)
        refused += 1
    assert refused > 20
    asked_for = {f"{route.method} {route.path}" for route in registry.routes if not route.in_org and not route.public}
    assert {"POST /v1/users/me/password", "GET /v1/users/me/sessions", "POST /v1/users/me/exports"} <= asked_for
    for verb in ("GET", "POST", "PATCH", "DELETE"):
        path = keys_path(team.org) if verb in {"GET", "POST"} else made.path
        answer = await made.program.request(verb, path, body=None if verb in {"GET", "DELETE"} else {"name": "x"})
        assert answer.code == "not_by_api_key", "no key makes or widens keys"


async def test_a_key_is_nobody_where_nobody_needs_to_be_known(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    for credential in (made.secret, made.secret[:-1] + "~"):
        assert (await program(house, credential).get("/v1/plans")).status == 200


# garbage


def _garbage(chance: random.Random, good: str) -> str:
    """Something that looks like a key, and is none."""
    body, place = good[:-6], chance.randrange(len(good) - 50, len(good))
    other = chance.choice(SIGNS.replace(good[place], ""))
    return chance.choice((
        good[:place] + other + good[place + 1 :],
        body + "".join(chance.choices(SIGNS, k=6)) + chance.choice(("", "0")),
        "tnt_" + "".join(chance.choices(SIGNS, k=chance.randrange(80))),
        good.replace("personal", chance.choice(("root", "Personal", ""))),
        good[: chance.randrange(5, len(good))],
        good + "0",
        good[:place] + chance.choice("-_.~é/") + good[place + 1 :],
    ))  # fmt: skip


async def test_five_thousand_keys_that_cannot_be_are_refused_without_a_question(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org)
    chance = random.Random(7)
    texts = [text for _ in range(BAD) if (text := _garbage(chance, made.secret)) != made.secret]
    assert len(texts) > BAD * 0.99
    assert not [text for text in texts if read_key(text) is not None]
    with asked() as said:
        for start in range(0, len(texts), AT_ONCE):
            keys = [program(house, text) for text in texts[start : start + AT_ONCE]]
            answers = await asyncio.gather(*(key.get(f"{team.path}/members") for key in keys))
            assert {(answer.status, answer.code) for answer in answers} == {(401, "invalid_api_key")}
    assert said == []
    assert await opens(team, made.program)


async def test_of_whatever_opens_nothing_the_house_asks_the_same_and_says_the_same(house: Installation) -> None:
    team = await house.team()
    revoked, rotated, gone = [await make(house, team.owner, team.org) for _ in range(3)]
    await team.owner.delete(revoked.path)
    await team.owner.post(f"{rotated.path}/rotation", {"overlap_seconds": 0})
    await house.rows("delete from tenantry.api_key_secrets where digest = $1", read_key(gone.secret))
    unknown = new_key("personal", "test").reveal()
    heard = []
    for secret in (unknown, revoked.secret, rotated.secret, gone.secret):
        key = program(house, secret)
        # the first time a connection has the statement to prepare
        await key.get(f"{team.path}/members")
        with asked() as said:
            answer = await key.get(f"{team.path}/members")
        document = {name: text for name, text in answer.json.items() if name != "request_id"}
        heard.append((answer.status, document, [one.partition("(")[0] for one in said]))
    assert heard[0][0] == 401
    assert heard == heard[:1] * 4
    assert len([one for one in heard[0][2] if one.startswith("begin")]) == 1


# every node


async def test_another_installation_of_the_same_database_refuses_at_the_very_next_request(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with (
        databases.fresh() as url,
        installed(url, tmp_path_factory.mktemp("here"), registry=registry) as here,
        installed(url, tmp_path_factory.mktemp("there"), registry=registry) as there,
    ):
        team = await here.team()
        soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        revoked, rotated, expired, narrowed = [
            await make(here, team.owner, team.org, expires_at=soon) for _ in range(4)
        ]
        for made in (revoked, rotated, expired, narrowed):
            for house in (here, there):
                assert await opens(team, program(house, made.secret)), "both have met it"
        await team.owner.delete(revoked.path)
        await team.owner.post(f"{rotated.path}/rotation", {"overlap_seconds": 0})
        await here.rows(
            "update tenantry.api_keys set expires_at = now() where id = (select key_id from tenantry.api_key_secrets"
            " where digest = $1)",
            read_key(expired.secret),
        )
        for made in (revoked, rotated, expired):
            for house in (there, here):
                assert not await opens(team, program(house, made.secret))
        await team.owner.patch(narrowed.path, {"scopes": ["org:read"]})
        for house in (there, here):
            assert (await program(house, narrowed.secret).get(f"{team.path}/members")).status == 403


async def test_a_key_is_used_from_its_networks_only(house: Installation) -> None:
    team = await house.team()
    made = await make(house, team.owner, team.org, addresses=["192.0.2.0/24", "2001:db8::/32"])
    refused = await made.program.get(f"{team.path}/members")
    assert (refused.status, refused.code) == (403, "address_refused")
    [entry] = (await team.owner.get(f"{team.path}/audit-log?action=orgs:request:members")).json["items"]
    assert (entry["outcome"], entry["actor"]["id"]) == ("denied", made.id)
    for networks, status in ((["127.0.0.0/8"], 200), (["127.0.0.2"], 403), ([], 200)):
        assert (await team.owner.patch(made.path, {"addresses": networks})).status == 200
        assert (await made.program.get(f"{team.path}/members")).status == status, networks
