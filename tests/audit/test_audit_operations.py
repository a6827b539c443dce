"""Each operation that changes something leaves its rows once it is allowed, and one row once it is denied."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from trail_kit import org_id, place_of, rows_of, user_id

from tenantry.accounts.exchanges import EXPORT, RESET, VERIFY
from tenantry.assemble import registry as build_registry
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.permission import ONESELF, ROLES
from tenantry.foundation.routes import Route
from tenantry.testing import Client, Installation, Response
from tenantry.testing.installation import PASSWORD
from tenantry.testing.team import Team, add_member

AGENT = "Trail/1.0"
_numbers = itertools.count(1)
# what Stripe sends is signed by a machine and counted; what came of it is audited by its events
WRITES = {
    f"{route.method} {route.path}": route
    for route in build_registry().routes
    if route.method != "GET" and "raw" not in route.takes
}
# what these leave once they are allowed takes a Stripe: `tests/billing/test_billing_audit.py`
ASK_STRIPE = {operation for operation, route in WRITES.items() if route.tag == "billing"}
# what is reported is of a meter that a plugin declares, and leaves no row of its own: `tests/usage/test_usage.py`
ELSEWHERE = ASK_STRIPE | {"POST /v1/orgs/{org}/usage"}


@dataclass
class Stage:
    """A house, a team in it, and somebody who comes and goes."""

    house: Installation
    team: Team

    async def slug(self, who: Client, org: str) -> str:
        return str((await who.get(f"/v1/orgs/{org}")).json["slug"])

    async def invited(self, email: str = "") -> str:
        """An invite that waits."""
        body = {"email": email or f"trail{next(_numbers)}@example.com", "role": "member"}
        answer = await self.team.owner.post(f"{self.team.path}/invites", body)
        return str(answer.json["id"])

    async def newcomer(self) -> Client:
        """A member who joined a moment ago."""
        person = await self.house.person()
        await add_member(self.house.runtime, self.team.org, person, "member")
        return person

    async def token(self, purpose: str, table: str, who: Client) -> str:
        """A mailed token, as it is derived."""
        [[row]] = await self.house.rows(f"select id from tenantry.{table} where user_id = $1", user_id(who))
        return self.house.runtime.one_time.issue(purpose, row, 0)


Asked = tuple[Client, Response]
Case = tuple[tuple[str, ...], Callable[[Stage], Awaitable[Asked]]]


async def _register(stage: Stage) -> Asked:
    body = {"email": f"trail{next(_numbers)}@example.com", "password": PASSWORD, "name": "Ada"}
    return stage.house.client, await stage.house.client.post("/v1/auth/register", body)


async def _verify(stage: Stage) -> Asked:
    proof = await stage.house.register(f"trail{next(_numbers)}@example.com")
    one_time = stage.house.runtime.one_time
    body = {"token": one_time.issue(VERIFY, one_time.read(proof), 0), "registration": proof}
    return stage.house.client, await stage.house.client.post("/v1/auth/verify-email", body)


async def _resend(stage: Stage) -> Asked:
    return stage.house.client, await stage.house.client.post("/v1/auth/resend", {"email": "nobody@example.com"})


async def _login(stage: Stage) -> Asked:
    body = {"email": stage.team.admin.email, "password": PASSWORD}
    return stage.house.client, await stage.house.client.post("/v1/auth/login", body)


async def _refresh(stage: Stage) -> Asked:
    person = await stage.house.person()
    body = {"refresh_token": person.tokens["refresh_token"]}
    return stage.house.client, await stage.house.client.post("/v1/auth/refresh", body)


async def _logout(stage: Stage) -> Asked:
    person = await stage.house.person()
    return person, await person.post("/v1/auth/logout", {"scope": "local"})


async def _revoke(stage: Stage) -> Asked:
    person = await stage.house.person()
    body = {"token": person.tokens["refresh_token"]}
    return stage.house.client, await stage.house.client.post("/v1/auth/revoke", body)


async def _forgot(stage: Stage) -> Asked:
    body = {"email": stage.team.member.email}
    return stage.house.client, await stage.house.client.post("/v1/auth/forgot-password", body)


async def _reset(stage: Stage) -> Asked:
    person = await stage.house.person()
    await stage.house.client.post("/v1/auth/forgot-password", {"email": person.email})
    body = {"token": await stage.token(RESET, "password_resets", person), "password": "seven lanterns over the sea"}
    return stage.house.client, await stage.house.client.post("/v1/auth/reset-password", body)


async def _password(stage: Stage) -> Asked:
    person = await stage.house.person()
    body = {"password": PASSWORD, "new_password": "seven lanterns over the sea"}
    return person, await person.post("/v1/users/me/password", body)


async def _address(stage: Stage) -> Asked:
    person = await stage.house.person()
    body = {"email": f"trail{next(_numbers)}@example.com", "password": PASSWORD}
    return person, await person.post("/v1/users/me/email", body)


async def _confirm(stage: Stage) -> Asked:
    person, _ = await _address(stage)
    body = {"token": await stage.token("change address", "address_changes", person)}
    return person, await person.post("/v1/users/me/email/confirmation", body)


async def _profile(stage: Stage) -> Asked:
    return stage.team.member, await stage.team.member.patch("/v1/users/me", {"name": "Ada King"})


async def _close_me(stage: Stage) -> Asked:
    person = await stage.house.person()
    return person, await person.post("/v1/users/me/closure", {"password": PASSWORD})


async def _reopen_me(stage: Stage) -> Asked:
    person, _ = await _close_me(stage)
    return person, await person.delete("/v1/users/me/closure", body={"password": PASSWORD})


async def _end_session(stage: Stage) -> Asked:
    person = await stage.house.person()
    [session] = [one["id"] for one in (await person.get("/v1/users/me/sessions")).json["items"]]
    return person, await person.delete(f"/v1/users/me/sessions/{session}")


async def _export(stage: Stage) -> Asked:
    person = await stage.house.person()
    return person, await person.post("/v1/users/me/exports")


async def _take_export(stage: Stage) -> Asked:
    person, _ = await _export(stage)
    await stage.house.drain_jobs()
    body = {"token": await stage.token(EXPORT, "exports", person)}
    return person, await person.post("/v1/users/me/exports/download", body)


async def _switch(stage: Stage) -> Asked:
    person = await stage.newcomer()
    return person, await person.post("/v1/auth/switch-org", {"org": stage.team.org})


async def _create_org(stage: Stage) -> Asked:
    person = await stage.house.person()
    return person, await person.post("/v1/orgs", {"name": "Trail"})


async def _change_org(stage: Stage) -> Asked:
    owner = stage.team.owner
    return owner, await owner.patch(stage.team.path, {"name": f"Trail {next(_numbers)}"})


async def _close_org(stage: Stage) -> Asked:
    owner, founded = await _create_org(stage)
    return owner, await owner.post(f"/v1/orgs/{founded.json['id']}/closure", {"slug": founded.json["slug"]})


async def _reopen_org(stage: Stage) -> Asked:
    owner, closed = await _close_org(stage)
    body = {"slug": closed.json["slug"]}
    return owner, await owner.delete(f"/v1/orgs/{closed.json['id']}/closure", body=body)


async def _invite(stage: Stage) -> Asked:
    body = {"email": f"trail{next(_numbers)}@example.com", "role": "member"}
    return stage.team.admin, await stage.team.admin.post(f"{stage.team.path}/invites", body)


async def _invite_many(stage: Stage) -> Asked:
    invites = [{"email": f"trail{next(_numbers)}@example.com", "role": "member"} for _ in range(2)]
    return stage.team.owner, await stage.team.owner.post(f"{stage.team.path}/invites/bulk", {"invites": invites})


async def _revoke_invite(stage: Stage) -> Asked:
    return stage.team.owner, await stage.team.owner.delete(f"{stage.team.path}/invites/{await stage.invited()}")


async def _resend_invite(stage: Stage) -> Asked:
    return stage.team.owner, await stage.team.owner.post(f"{stage.team.path}/invites/{await stage.invited()}/resend")


async def _accept(stage: Stage) -> Asked:
    person = await stage.house.person()
    body = {"invite": await stage.invited(person.email)}
    return person, await person.post("/v1/invites/acceptance", body)


async def _decline(stage: Stage) -> Asked:
    person = await stage.house.person()
    return person, await person.post(f"/v1/invites/{await stage.invited(person.email)}/decline")


async def _leave(stage: Stage) -> Asked:
    person = await stage.newcomer()
    return person, await person.delete(f"{stage.team.path}/members/me")


async def _change_role(stage: Stage) -> Asked:
    person = await stage.newcomer()
    path = f"{stage.team.path}/members/{person.user_id}"
    return stage.team.owner, await stage.team.owner.patch(path, {"role": "admin"}, headers={"if-match": "*"})


async def _remove(stage: Stage) -> Asked:
    person = await stage.newcomer()
    return stage.team.owner, await stage.team.owner.delete(f"{stage.team.path}/members/{person.user_id}")


async def _transfer(stage: Stage) -> Asked:
    owner, founded = await _create_org(stage)
    person = await stage.house.person()
    await add_member(stage.house.runtime, founded.json["id"], person, "member")
    body = {"user_id": person.user_id}
    return owner, await owner.post(f"/v1/orgs/{founded.json['id']}/ownership-transfer", body)


async def _audit_export(stage: Stage) -> Asked:
    return stage.team.owner, await stage.team.owner.post(f"{stage.team.path}/audit-log/export", {"format": "csv"})


async def _create_key(stage: Stage) -> Asked:
    body = {"name": f"Key {next(_numbers)}", "scopes": ["members:read"]}
    return stage.team.member, await stage.team.member.post(f"{stage.team.path}/api-keys", body)


async def _key(stage: Stage) -> tuple[Client, str]:
    person, made = await _create_key(stage)
    return person, f"{stage.team.path}/api-keys/{made.json['id']}"


async def _change_key(stage: Stage) -> Asked:
    person, path = await _key(stage)
    return person, await person.patch(path, {"name": "Other"})


async def _revoke_key(stage: Stage) -> Asked:
    person, path = await _key(stage)
    return person, await person.delete(path)


async def _rotate_key(stage: Stage) -> Asked:
    person, path = await _key(stage)
    return person, await person.post(f"{path}/rotation")


async def _create_endpoint(stage: Stage) -> Asked:
    # an address by its number is vetted without asking anybody
    body = {"url": "https://1.1.1.1/hooks"}
    return stage.team.admin, await stage.team.admin.post(f"{stage.team.path}/webhook-endpoints", body)


async def _endpoint(stage: Stage) -> tuple[Client, str]:
    person, made = await _create_endpoint(stage)
    return person, f"{stage.team.path}/webhook-endpoints/{made.json['id']}"


async def _change_endpoint(stage: Stage) -> Asked:
    person, path = await _endpoint(stage)
    return person, await person.patch(path, {"description": "Other", "enabled": False})


async def _delete_endpoint(stage: Stage) -> Asked:
    person, path = await _endpoint(stage)
    return person, await person.delete(path)


async def _rotate_endpoint(stage: Stage) -> Asked:
    person, path = await _endpoint(stage)
    return person, await person.post(f"{path}/rotation")


async def _test_endpoint(stage: Stage) -> Asked:
    person, path = await _endpoint(stage)
    return person, await person.post(f"{path}/test")


async def _replay(stage: Stage) -> Asked:
    person, path = await _endpoint(stage)
    since = (await person.get(path)).json["created_at"]
    return person, await person.post(f"{path}/replay", {"since": since, "which": "missed"})


async def _retry(stage: Stage) -> Asked:
    person, path = await _endpoint(stage)
    await person.post(f"{path}/test")
    await stage.house.drain_consumers()
    [delivery] = (await person.get(f"{path}/deliveries")).json["items"]
    return person, await person.post(f"{path}/deliveries/{delivery['id']}/retry")


async def _operator_login(stage: Stage) -> Asked:
    operator = await stage.house.operator()
    body = {"email": operator.email, "password": PASSWORD}
    return stage.house.client, await stage.house.client.post("/v1/admin/auth/login", body)


async def _operator_logout(stage: Stage) -> Asked:
    operator = await stage.house.operator("viewer")
    return operator, await operator.post("/v1/admin/auth/logout")


async def _end_any_sessions(stage: Stage) -> Asked:
    operator, person = await stage.house.operator("support"), await stage.house.person()
    return operator, await operator.delete(f"/v1/admin/users/{person.user_id}/sessions")


async def _mail_reset(stage: Stage) -> Asked:
    operator, person = await stage.house.operator("support"), await stage.house.person()
    return operator, await operator.post(f"/v1/admin/users/{person.user_id}/password-reset-mail")


async def _disable(stage: Stage) -> Asked:
    operator, person = await stage.house.operator("support"), await stage.house.person()
    path = f"/v1/admin/users/{person.user_id}/disabling"
    return operator, await operator.post(path, {"why": "charged back twice"})


async def _enable(stage: Stage) -> Asked:
    operator, answer = await _disable(stage)
    return operator, await operator.delete(f"/v1/admin/users/{answer.json['id']}/disabling")


async def _restrict(stage: Stage) -> Asked:
    operator, team = await stage.house.operator(), await stage.house.team()
    return operator, await operator.request("PUT", f"/v1/admin/orgs/{team.org}/restriction", body={})


async def _unrestrict(stage: Stage) -> Asked:
    operator, answer = await _restrict(stage)
    return operator, await operator.delete(f"/v1/admin/orgs/{answer.json['id']}/restriction")


STARTED, ENDED = "accounts:session:started", "accounts:session:ended"
ALLOWED: dict[str, Case] = {
    "POST /v1/auth/register": ((), _register),
    "POST /v1/auth/verify-email": (("accounts:person:joined", STARTED), _verify),
    "POST /v1/auth/resend": ((), _resend),
    "POST /v1/auth/login": ((STARTED,), _login),
    "POST /v1/auth/refresh": ((), _refresh),
    "POST /v1/auth/logout": ((ENDED,), _logout),
    "POST /v1/auth/revoke": ((ENDED,), _revoke),
    "POST /v1/auth/forgot-password": (("accounts:password:reset_asked",), _forgot),
    "POST /v1/auth/reset-password": ((ENDED, "accounts:password:changed"), _reset),
    "POST /v1/users/me/password": (("accounts:password:changed",), _password),
    "POST /v1/users/me/email": (("accounts:address:change_asked",), _address),
    "POST /v1/users/me/email/confirmation": (("accounts:address:changed",), _confirm),
    "PATCH /v1/users/me": (("accounts:profile:changed",), _profile),
    "POST /v1/users/me/closure": (("accounts:person:closed",), _close_me),
    "DELETE /v1/users/me/closure": (("accounts:person:reopened",), _reopen_me),
    "DELETE /v1/users/me/sessions/{session}": ((ENDED,), _end_session),
    "POST /v1/users/me/exports": (("accounts:export:asked",), _export),
    "POST /v1/users/me/exports/download": (("accounts:export:taken",), _take_export),
    "POST /v1/auth/switch-org": (("accounts:session:bound",), _switch),
    "POST /v1/orgs": (("orgs:org:created", "orgs:member:joined"), _create_org),
    "PATCH /v1/orgs/{org}": (("orgs:org:changed",), _change_org),
    "POST /v1/orgs/{org}/closure": (("orgs:org:closed",), _close_org),
    "DELETE /v1/orgs/{org}/closure": (("orgs:org:reopened",), _reopen_org),
    "POST /v1/orgs/{org}/invites": (("orgs:invite:sent",), _invite),
    "POST /v1/orgs/{org}/invites/bulk": (("orgs:invite:sent",) * 2, _invite_many),
    "DELETE /v1/orgs/{org}/invites/{invite}": (("orgs:invite:revoked",), _revoke_invite),
    "POST /v1/orgs/{org}/invites/{invite}/resend": (("orgs:invite:resent",), _resend_invite),
    "POST /v1/invites/acceptance": (("orgs:member:joined", "orgs:invite:accepted"), _accept),
    "POST /v1/invites/{invite}/decline": (("orgs:invite:declined",), _decline),
    "DELETE /v1/orgs/{org}/members/me": (("orgs:member:left",), _leave),
    "PATCH /v1/orgs/{org}/members/{user}": (("orgs:member:role_changed",), _change_role),
    "DELETE /v1/orgs/{org}/members/{user}": (("orgs:member:left",), _remove),
    "POST /v1/orgs/{org}/ownership-transfer": (
        ("orgs:member:role_changed", "orgs:member:role_changed", "orgs:ownership:transferred"),
        _transfer,
    ),
    "POST /v1/orgs/{org}/api-keys": (("api_keys:key:created",), _create_key),
    "PATCH /v1/orgs/{org}/api-keys/{key}": (("api_keys:key:changed",), _change_key),
    "DELETE /v1/orgs/{org}/api-keys/{key}": (("api_keys:key:revoked",), _revoke_key),
    "POST /v1/orgs/{org}/api-keys/{key}/rotation": (("api_keys:key:rotated",), _rotate_key),
    "POST /v1/orgs/{org}/webhook-endpoints": (("webhooks:endpoint:created",), _create_endpoint),
    "PATCH /v1/orgs/{org}/webhook-endpoints/{endpoint}": (
        ("webhooks:endpoint:changed", "webhooks:endpoint:disabled"),
        _change_endpoint,
    ),
    "DELETE /v1/orgs/{org}/webhook-endpoints/{endpoint}": (("webhooks:endpoint:deleted",), _delete_endpoint),
    "POST /v1/orgs/{org}/webhook-endpoints/{endpoint}/rotation": (
        ("webhooks:endpoint:secret_rotated",),
        _rotate_endpoint,
    ),
    "POST /v1/orgs/{org}/webhook-endpoints/{endpoint}/test": (("webhooks:endpoint:tested",), _test_endpoint),
    "POST /v1/orgs/{org}/webhook-endpoints/{endpoint}/replay": (("webhooks:endpoint:replayed",), _replay),
    "POST /v1/orgs/{org}/webhook-endpoints/{endpoint}/deliveries/{delivery}/retry": (
        ("webhooks:delivery:retried",),
        _retry,
    ),
    "POST /v1/orgs/{org}/audit-log/export": (("audit:export:asked",), _audit_export),
    "POST /v1/admin/auth/login": (("admin:session:started",), _operator_login),
    "POST /v1/admin/auth/logout": (("admin:session:ended",), _operator_logout),
    "DELETE /v1/admin/users/{user}/sessions": ((ENDED,), _end_any_sessions),
    "POST /v1/admin/users/{user}/password-reset-mail": (
        ("accounts:password:reset_asked", "admin:person:sent_reset"),
        _mail_reset,
    ),
    "POST /v1/admin/users/{user}/disabling": ((ENDED, "accounts:person:disabled"), _disable),
    "DELETE /v1/admin/users/{user}/disabling": (("accounts:person:enabled",), _enable),
    "PUT /v1/admin/orgs/{org}/restriction": (("orgs:org:restricted",), _restrict),
    "DELETE /v1/admin/orgs/{org}/restriction": (("orgs:org:unrestricted",), _unrestrict),
}
"""Of each operation the rows that it leaves, in their order; none where the rule on events says why."""
WRONG = {
    "POST /v1/auth/login": ("accounts:login:refused", {"email": "nobody@example.com", "password": PASSWORD}),
    "POST /v1/admin/auth/login": ("accounts:login:refused", {"email": "nobody@example.com", "password": PASSWORD}),
    "POST /v1/auth/reset-password": ("accounts:request:reset_password", None),
    "POST /v1/auth/verify-email": ("accounts:request:verify_email", None),
    "POST /v1/users/me/exports/download": ("accounts:request:take_export", None),
    "DELETE /v1/users/me/closure": ("accounts:login:refused", {"password": "not this one, surely"}),
}
"""Operations that refuse a credential: the row that this leaves, and a body with a wrong one unless the example is."""
NEVER_DENIED = {
    "POST /v1/auth/register": "open to everybody, and answers the same to all",
    "POST /v1/auth/resend": "open to everybody, and answers the same to all",
    "POST /v1/auth/forgot-password": "open to everybody, and answers the same to all",
    "POST /v1/auth/revoke": "answers the same to every token, good or not",
    "POST /v1/auth/refresh": "what is no token of ours never reaches the database; one that was used ends its session",
    "POST /v1/auth/logout": "as a refresh",
    "POST /v1/admin/auth/logout": "every operator may, and who is none has no credential for it",
    "POST /v1/users/me/exports": "one's own, also while one's account is closed",
}


@pytest.fixture(scope="module")
async def stage(house: Installation) -> Stage:
    """A team and a house around it."""
    return Stage(house, await house.team())


@pytest.mark.parametrize("operation", sorted(WRITES.keys() - ELSEWHERE))
async def test_what_is_allowed_leaves_its_rows_and_no_other(stage: Stage, operation: str) -> None:
    assert operation in ALLOWED, "say what this operation leaves in the audit log"
    actions, ask = ALLOWED[operation]
    asked_by, answer = await ask(stage)
    assert answer.status < 300, answer
    found = await rows_of(stage.house, answer)
    assert [row["action"] for row in found] == list(actions)
    route = WRITES[operation]
    for row in found:
        assert (row["outcome"], row["times"], row["merge_key"]) == ("done", 1, None)
        assert row["target_kind"] is not None
        assert row["target_id"] is not None
        assert place_of(row)["address"] == "127.0.0.1"
        assert "aiohttp" in place_of(row)["user_agent"]
        if not route.public:
            kind = "operator" if route.of_operators else "person"
            assert (row["actor_kind"], row["actor_id"]) == (kind, user_id(asked_by))
        if row["action"].startswith(("orgs:", "audit:", "api_keys:", "webhooks:")):
            assert row["org_id"] is not None


@pytest.mark.parametrize("operation", sorted(WRITES.keys() - NEVER_DENIED.keys()))
async def test_what_is_denied_leaves_one_row(stage: Stage, operation: str) -> None:
    route = WRITES[operation]
    asked_by, answer, action = await _denied(stage, operation, route)
    assert answer.status in {401, 403, 404, 410}, answer
    [row] = await rows_of(stage.house, answer)
    assert (row["action"], row["outcome"], row["times"]) == (action, "denied", 1)
    assert place_of(row)["address"] == "127.0.0.1"
    if operation not in WRONG or not route.public:
        assert row["actor_id"] == user_id(asked_by)
    if route.in_org:
        stranger = set(route.requires.roles) == set(ROLES)
        assert row["org_id"] == (None if stranger else org_id(stage.team.org))
        assert row["target_id"] == org_id(stage.team.org) or row["target_kind"] in route.ids


async def _denied(stage: Stage, operation: str, route: Route) -> tuple[Client, Response, str]:
    """Somebody who may not asks: of too low a role, a stranger, or whose account is closed."""
    ids = {name: kind.text(new_id()) for name, kind in route.ids.items()} | {"org": stage.team.org}
    path = route.path.format(**ids)
    action, body = WRONG.get(operation, (f"{route.tag}:request:{route.handler.__name__}", None))
    body = body or route.example
    if route.public:
        person = stage.house.client
    elif route.in_org:
        person = stage.team.stranger if "member" in route.requires.roles else stage.team.member
    elif route.of_operators:
        person = await stage.house.operator("viewer")
    else:
        assert route.requires == ONESELF
        person = await stage.house.person()
        await person.post("/v1/users/me/closure", {"password": PASSWORD})
    headers: dict[str, Any] = {"if-match": "*"} if route.needs_match else {}
    return person, await person.request(route.method, path, body=body, headers=headers), action


def test_every_operation_is_denied_to_somebody_or_the_list_says_why_not() -> None:
    assert NEVER_DENIED.keys() <= WRITES.keys()
    assert ALLOWED.keys() == WRITES.keys() - ELSEWHERE


async def test_what_is_rolled_back_leaves_no_row_that_says_it_was_done(stage: Stage) -> None:
    path = f"{stage.team.path}/members/{stage.team.owner.user_id}"
    answer = await stage.team.owner.delete(path)
    assert (answer.status, answer.code) == (409, "last_owner")
    assert await rows_of(stage.house, answer) == []
    answer = await stage.team.owner.patch(stage.team.path, {"slug": "admin"})
    assert answer.status == 422
    assert await rows_of(stage.house, answer) == []


async def test_before_and_after_are_what_they_were(stage: Stage) -> None:
    _, answer = await _change_role(stage)
    [row] = await rows_of(stage.house, answer)
    assert (row["before"], row["after"]) == ('{"role": "member"}', '{"role": "admin"}')
    assert '"email"' in row["said"]
