"""What operators do: each by their role, the dangerous only just after signing in, and all of it audited."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest

from commands import run
from tenantry.admin import actions
from tenantry.admin.permissions import ALL, LOOK
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.permission import HOUSE, ONESELF, OPERATORS, OperatorRole, Permission
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.routes import Routes
from tenantry.foundation.work import PersonWork
from tenantry.testing import Client, Installation
from tenantry.testing.installation import PASSWORD

TENANTRY = [sys.executable, "-m", "tenantry"]
ME = "/v1/admin/operators/me"
WHY = "charged back twice"


async def _command(house: Installation, *words: str) -> Any:
    done = await run([*TENANTRY, "operators", *words, "--json"], house)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _id(person: Client) -> UUID:
    found = USER_ID.read(person.user_id)
    assert found is not None
    return found


async def _audited(house: Installation, operator: Client) -> list[tuple[str, str, UUID | None]]:
    rows = await house.rows(
        "select action, outcome, target_id from tenantry.audit_log"
        " where actor_kind = 'operator' and actor_id = $1 order by at, id",
        _id(operator),
    )
    return [(row["action"], row["outcome"], row["target_id"]) for row in rows]


async def _long_signed_in(house: Installation, operator: Client) -> None:
    await house.rows(
        "update tenantry.operator_sessions set proved_at = tenantry.now() - interval '15 minutes'"
        " where user_id = $1 returning id",
        _id(operator),
    )


@pytest.fixture(scope="module")
async def staff(house: Installation) -> dict[OperatorRole, Client]:
    """An operator in each role."""
    return {role: await house.operator(role) for role in OPERATORS}


async def test_operators_are_made_and_unmade_at_the_command_line(house: Installation) -> None:
    person = await house.person()
    login = {"email": person.email, "password": PASSWORD}
    added = await _command(house, "add", "--user", person.email, "--role", "viewer")
    assert (added["email"], added["role"]) == (person.email, "viewer")
    operator = house.client.signed_in((await house.client.post("/v1/admin/auth/login", login)).json)
    assert (await operator.get(ME)).json["role"] == "viewer"
    await _command(house, "add", "--user", person.email, "--role", "admin")
    assert (await operator.get(ME)).json["role"] == "admin"
    listed = (await _command(house, "list"))["operators"]
    assert ("admin", person.user_id) in [(one["role"], one["user"]) for one in listed]
    await _command(house, "remove", "--user", person.user_id)
    assert (await operator.get(ME)).code == "session_ended"
    assert (await house.client.post("/v1/admin/auth/login", login)).status == 401
    assert (await person.get("/v1/users/me")).status == 200
    rows = await house.rows(
        "select action, actor_kind from tenantry.audit_log"
        " where target_id = $1 and action like 'admin:operator:%' order by at, id",
        _id(person),
    )
    told = [tuple(row) for row in rows]
    assert told == [
        ("admin:operator:added", "cli"),
        ("admin:operator:role_changed", "cli"),
        ("admin:operator:removed", "cli"),
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["add", "--user", "nobody@example.com", "--role", "viewer"], "There is no such person"),
        (["add", "--user", "nobody@example.com", "--role", "root"], "--role is one of viewer, support, admin"),
        (["remove", "--user", "nobody@example.com"], "There is no such person"),
    ],
)
async def test_a_mistake_at_the_command_line_is_said(house: Installation, words: list[str], says: str) -> None:
    done = await run([*TENANTRY, "operators", *words], house)
    assert done.returncode != 0
    assert says in " ".join(done.stderr.split())


async def test_nobody_is_an_operator_who_was_not_made_one(house: Installation) -> None:
    person = await house.person()
    done = await run([*TENANTRY, "operators", "remove", "--user", person.email], house)
    assert "There is no such operator" in done.stderr
    assert _id(person) not in [row["user_id"] for row in await house.rows("select user_id from tenantry.operators")]


def test_each_role_may_do_what_those_before_it_may() -> None:
    assert get_args(OperatorRole) == OPERATORS
    for permission in ALL:
        assert permission.operators == OPERATORS[len(OPERATORS) - len(permission.operators) :], permission.name
        assert not permission.roles
        assert not permission.by_key


async def test_every_operation_refuses_operators_whose_role_lacks_its_permission(
    house: Installation, registry: Registry, staff: dict[OperatorRole, Client]
) -> None:
    refused = 0
    for route in (route for route in registry.routes if route.of_operators):
        path = route.path.format_map({name: kind.text(kind.new()) for name, kind in route.ids.items()})
        for role, operator in staff.items():
            if role in route.requires.operators:
                continue
            answer = await operator.request(route.method, path, body=route.example)
            assert (answer.status, answer.code) == (403, "forbidden"), (role, route.path, answer)
            assert answer.json["permission"] == route.requires.name
            refused += 1
    assert refused >= 6
    assert "denied" in [outcome for _, outcome, _ in await _audited(house, staff["viewer"])]


async def test_what_is_dangerous_needs_a_sign_in_just_now(house: Installation, registry: Registry) -> None:
    operator, person = await house.operator(), await house.person()
    await _long_signed_in(house, operator)
    asked = [route for route in registry.routes if route.requires.recent]
    assert len(asked) >= 4
    for route in asked:
        ids = {name: kind.text(kind.new()) for name, kind in route.ids.items()}
        answer = await operator.request(route.method, route.path.format_map(ids), body=route.example)
        assert (answer.status, answer.code) == (403, "proof_needed"), (route.path, answer)
    assert (await operator.get(f"/v1/admin/users/{person.user_id}")).status == 200


async def test_operators_find_and_look_at_people_and_that_is_written_down(house: Installation) -> None:
    operator, person = await house.operator("viewer"), await house.person("sought.after@example.com")
    found = await operator.get("/v1/admin/users?q=SOUGHT.after")
    assert [one["id"] for one in found.json["items"]] == [person.user_id]
    first = (await operator.get("/v1/admin/users?limit=1")).json
    second = (await operator.get(f"/v1/admin/users?limit=1&after={first['next']}")).json
    assert first["items"][0]["id"] != second["items"][0]["id"]
    shown = (await operator.get(f"/v1/admin/users/{person.user_id}")).json
    assert (shown["email"], shown["status"], shown["sessions"]) == (person.email, "active", 1)
    devices = (await operator.get(f"/v1/admin/users/{person.user_id}/sessions")).json["items"]
    assert len(devices) == 1
    assert await _audited(house, operator) == [
        ("admin:people:listed", "done", None),
        ("admin:people:listed", "done", None),
        ("admin:people:listed", "done", None),
        ("admin:person:looked_at", "done", _id(person)),
        ("admin:devices:looked_at", "done", _id(person)),
    ]
    assert (await operator.get(f"/v1/admin/users/{USER_ID.text(USER_ID.new())}")).code == "not_found"


async def test_an_operator_keeps_somebody_out_and_lets_them_in(house: Installation) -> None:
    operator, person = await house.operator("support"), await house.person()
    path, login = f"/v1/admin/users/{person.user_id}/disabling", {"email": person.email, "password": PASSWORD}
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    shown = await operator.post(path, {"why": WHY, "until": until})
    assert (shown.status, shown.json["status"], shown.json["disabled_why"]) == (200, "disabled", WHY)
    assert (await person.get("/v1/users/me")).status == 401
    assert (await house.client.post("/v1/auth/login", login)).status == 401
    assert (await operator.delete(path)).json["status"] == "active"
    assert (await house.client.post("/v1/auth/login", login)).status == 200
    done = {action for action, _, _ in await _audited(house, operator)}
    assert {"accounts:person:disabled", "accounts:person:enabled"} <= done
    assert (await operator.post(path, {"why": " "})).status == 422


async def test_an_operator_signs_somebody_out_and_mails_them_a_link(house: Installation) -> None:
    operator, person = await house.operator("support"), await house.person()
    assert (await operator.delete(f"/v1/admin/users/{person.user_id}/sessions")).status == 204
    assert (await person.get("/v1/users/me")).status == 401
    asked = await operator.post(f"/v1/admin/users/{person.user_id}/password-reset-mail")
    assert (asked.status, asked.body) == (202, b"")
    body = {"token": await house.mailed_token(person.email), "password": "seven lanterns over the harbour"}
    assert (await house.client.post("/v1/auth/reset-password", body)).status == 200


async def test_nobody_keeps_out_an_operator_above_themselves(
    house: Installation, staff: dict[OperatorRole, Client]
) -> None:
    boss = f"/v1/admin/users/{staff['admin'].user_id}"
    for answer in (
        await staff["support"].post(f"{boss}/disabling", {"why": WHY}),
        await staff["support"].delete(f"{boss}/sessions"),
    ):
        assert (answer.status, answer.code) == (403, "higher_operator")
    viewer = await house.operator("viewer")
    assert (await staff["support"].delete(f"/v1/admin/users/{viewer.user_id}/sessions")).status == 204
    assert (await viewer.get("/v1/admin/operators/me")).code == "session_ended"


async def test_operators_look_at_organizations_and_restrict_them(house: Installation) -> None:
    operator, team = await house.operator(), await house.team("Sought Sisters")
    found = await operator.get("/v1/admin/orgs?q=sought+sis")
    assert [one["id"] for one in found.json["items"]] == [team.org]
    path = f"/v1/admin/orgs/{team.org}"
    shown = (await operator.get(path)).json
    assert (shown["members"], shown["status"]) == (3, "open")
    assert {one["role"] for one in shown["people"]} == {"owner", "admin", "member"}
    restricted = await operator.request("PUT", f"{path}/restriction", body={})
    assert restricted.json["restricted_from"] is not None
    assert (await team.owner.patch(team.path, {"name": "New"}, headers={"if-match": "*"})).code == "payment_needed"
    assert (await operator.delete(f"{path}/restriction")).json["restricted_from"] is None
    assert (await team.owner.patch(team.path, {"name": "New"}, headers={"if-match": "*"})).status == 200
    org = ORG_ID.read(team.org)
    audited = await _audited(house, operator)
    assert ("admin:org:looked_at", "done", org) in audited
    assert {("orgs:org:restricted", "done", org), ("orgs:org:unrestricted", "done", org)} <= set(audited)
    assert (await operator.get(f"/v1/admin/orgs/{ORG_ID.text(ORG_ID.new())}")).code == "not_found"


async def test_what_an_operator_looked_at_is_no_organizations_to_read(house: Installation) -> None:
    operator, team = await house.operator(), await house.team()
    await operator.get(f"/v1/admin/orgs/{team.org}")
    entries = (await team.owner.get(f"{team.path}/audit-log")).json["items"]
    assert not [one for one in entries if one["action"].startswith("admin:")]


async def test_the_list_of_operators_is_for_operators(house: Installation, staff: dict[OperatorRole, Client]) -> None:
    told = (await staff["viewer"].get("/v1/admin/operators")).json["items"]
    assert {one.user_id for one in staff.values()} <= {one["user_id"] for one in told}


async def _call(house: Installation, operator: Client) -> Call:
    [[session]] = await house.rows("select id from tenantry.operator_sessions where user_id = $1", _id(operator))
    return Call(house.runtime, Actor("operator", _id(operator), session), "request-of-a-test")


async def test_an_operator_holds_no_right_before_they_are_let_in(house: Installation) -> None:
    call = await _call(house, await house.operator())
    assert not any(call.actor.may(permission) for permission in (*ALL, HOUSE, ONESELF))
    async with OperatorWork(call) as work:
        assert all(work.call.actor.may(permission) for permission in (*ALL, HOUSE))
        assert not work.call.actor.may(ONESELF)
        assert "admin" not in work.call.actor.json()


@pytest.mark.parametrize("verb", [actions.sign_operator_out, actions.let_operator_in])
async def test_a_person_may_use_none_of_the_operators_verbs(house: Installation, verb: Any) -> None:
    person = await house.person()
    claims = await house.runtime.keys.verify(person.tokens["access_token"])
    actor = Actor("person", _id(person), UUID(int=0))
    assert claims.sub == person.user_id
    with pytest.raises(TypeError):
        OperatorWork(Call(house.runtime, actor, "request-of-a-test"))
    [[session]] = await house.rows("select id from tenantry.sessions where user_id = $1", _id(person))
    call = Call(house.runtime, Actor("person", _id(person), session), "request-of-a-test")
    async with PersonWork(call) as work:
        for refused, given in (
            (verb, {}),
            (actions.add_operator, {"user_id": _id(person), "role": "admin"}),
            (actions.remove_operator, {"user_id": _id(person)}),
            (actions.keep_person_out, {"user_id": _id(person), "why": "x", "until": None}),
            (actions.sign_person_out, {"user_id": _id(person)}),
            (actions.sign_operator_in, {"credential": None}),
        ):
            with pytest.raises(Forbidden):
                await refused(work, **given)


def test_a_route_takes_the_work_that_its_permission_is_for() -> None:
    routes = Routes("wrong", prefix="/v1/wrong")
    of_members = Permission("wrong:read", "See it.", roles=("owner",))

    async def for_operators(work: OperatorWork) -> None:
        """Something for operators."""

    async def for_people(work: PersonWork) -> None:
        """Something for people."""

    for requires, handler in ((of_members, for_operators), (ONESELF, for_operators), (LOOK, for_people)):
        with pytest.raises(TypeError, match="OperatorWork"):
            routes.get("/thing", requires=requires)(handler)


async def test_exchanges_of_operators_are_for_operators(house: Installation) -> None:
    """`operator_login` is open to everybody, and gives nothing to whoever is none."""
    person = await house.person()
    body = {"email": person.email, "password": PASSWORD}
    assert (await house.client.post("/v1/admin/auth/login", body)).status == 401
