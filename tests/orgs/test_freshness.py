"""What ends, ends for the next request: of every credential, at every process that serves."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from faults.app import Program, environment, free_port, until_ready
from tenantry.foundation.data.ids import ORG_ID, USER_ID, IdKind
from tenantry.foundation.domain import Registry
from tenantry.foundation.permission import Role
from tenantry.testing import Client, Databases, Installation, installed
from tenantry.testing.installation import PASSWORD
from tenantry.testing.team import add_member


@dataclass(frozen=True)
class Nodes:
    """A house served by this process, and by another one on the same database."""

    here: Installation
    there: Client

    @property
    def all(self) -> tuple[Client, Client]:
        return self.here.client, self.there


@dataclass(frozen=True)
class Belonging:
    """A person in an organization, with a credential of every kind, each of a session of its own."""

    nodes: Nodes
    org: str
    owner: Client
    person: Client
    unbound: Client
    bound: Client
    cookie: dict[str, str]

    @property
    def path(self) -> str:
        return f"/v1/orgs/{self.org}"

    @property
    def user_id(self) -> object:
        return USER_ID.read(self.person.user_id)

    @property
    def credentials(self) -> dict[str, dict[str, str]]:
        """What each credential is in headers."""
        tokens = {"first": self.person, "unbound": self.unbound, "bound": self.bound}
        bearers = {name: {"authorization": f"Bearer {one.tokens['access_token']}"} for name, one in tokens.items()}
        return bearers | {"cookie": self.cookie | {"sec-fetch-site": "same-origin"}}

    async def everywhere(self, method: str, path: str, body: object = None) -> set[tuple[int, str | None]]:
        """What every credential is answered at every process."""
        return {
            (answer.status, answer.code)
            for headers in self.credentials.values()
            for node in self.nodes.all
            for answer in [await node.request(method, path, body=body, headers=headers)]
        }

    async def refreshed(self, device: Client, node: Client) -> tuple[int, str | None]:
        """Refresh a device's tokens at a process: the status, and to what the new ones are bound."""
        answer = await node.post("/v1/auth/refresh", {"refresh_token": device.tokens["refresh_token"]})
        if answer.status != 200:
            return answer.status, None
        body = str(answer.json["access_token"]).split(".")[1]
        return 200, json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["org"]


@pytest.fixture(scope="module")
async def nodes(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Nodes]:
    """Two processes that serve one database."""
    folder, port = tmp_path_factory.mktemp("nodes"), free_port()
    async with databases.fresh() as url, installed(url, folder, registry=registry) as here:
        settings = environment(url, folder, port, TENANTRY_PUBLIC_URL=here.origin)
        program = Program(("serve", "--port", str(port), "--workers", "1"), settings, folder / "there.log")
        there = Client(here._http, f"http://127.0.0.1:{port}")
        try:
            program.start()
            await until_ready(there)
            yield Nodes(here, there)
        finally:
            await program.kill()


@pytest.fixture
async def belonging(nodes: Nodes) -> Belonging:
    """An admin of somebody else's organization, whom every process has answered by every credential."""
    return await _belonging(nodes, "admin")


async def _belonging(nodes: Nodes, role: Role) -> Belonging:
    house = nodes.here
    owner, person = await house.person(), await house.person()
    org = (await owner.post("/v1/orgs", {"name": "Acme"})).json["id"]
    await add_member(house.runtime, org, person, role)
    unbound, device = await _signed_in(person), await _signed_in(person)
    switched = await device.post("/v1/auth/switch-org", {"org": org})
    bound = device.signed_in(device.tokens | {"access_token": switched.json["access_token"]})
    browser = await house.browser().visit("/account/login")
    await browser.submit(email=person.email, password=PASSWORD)
    cookie = {"cookie": "; ".join(f"{name}={text}" for name, text in browser.cookies.items())}
    known = Belonging(nodes, org, owner, person, unbound, bound, cookie)
    # whatever a process may remember of them, it remembers now
    for path in ("/v1/users/me", known.path, f"{known.path}/members"):
        assert await known.everywhere("GET", path) == {(200, None)}
    return known


async def _signed_in(person: Client) -> Client:
    answer = await person.post("/v1/auth/login", {"email": person.email, "password": PASSWORD})
    assert answer.status == 200, answer
    return person.signed_in(answer.json)


async def _is_removed(one: Belonging) -> None:
    assert (await one.owner.delete(f"{one.path}/members/{one.person.user_id}")).status == 204


async def _leaves(one: Belonging) -> None:
    assert (await one.unbound.delete(f"{one.path}/members/me")).status == 204


async def _org_is_deleted(one: Belonging) -> None:
    await one.nodes.here.rows("delete from tenantry.orgs where id = $1", ORG_ID.read(one.org))


LOSSES = (_is_removed, _leaves, _org_is_deleted)


@pytest.mark.parametrize("loss", LOSSES, ids=[loss.__name__.strip("_") for loss in LOSSES])
async def test_whoever_is_no_member_any_more_is_told_that_there_is_no_such_organization(
    belonging: Belonging, loss: Callable[[Belonging], Awaitable[None]]
) -> None:
    await loss(belonging)
    for path in ("", "/members"):
        assert await belonging.everywhere("GET", belonging.path + path) == {(404, "not_found")}
    assert await belonging.everywhere("PATCH", belonging.path, {"name": "Mine"}) == {(404, "not_found")}
    assert await belonging.everywhere("GET", "/v1/users/me") == {(200, None)}
    # a session that was bound there is bound to nothing, wherever it is refreshed
    node, other = belonging.nodes.all
    assert await belonging.refreshed(belonging.bound, other) == (200, None)
    assert await belonging.refreshed(belonging.unbound, node) == (200, None)
    asked = await belonging.nodes.there.post(
        "/v1/auth/switch-org", {"org": belonging.org}, headers=belonging.credentials["first"]
    )
    assert (asked.status, asked.code) == (404, "not_found")


async def test_whoever_was_lost_by_one_organization_is_at_home_in_another(nodes: Nodes) -> None:
    one = await _belonging(nodes, "member")
    other = (await one.person.post("/v1/orgs", {"name": "Own"})).json["id"]
    await _is_removed(one)
    for name in ("first", "unbound", "cookie"):
        for node in nodes.all:
            answer = await node.get(f"/v1/orgs/{other}", headers=one.credentials[name])
            assert (answer.status, answer.code) == (200, None), name


async def test_a_demoted_admin_is_a_member_whatever_their_token_says(belonging: Belonging) -> None:
    assert await belonging.everywhere("PATCH", belonging.path, {"name": "By an admin"}) == {(200, None)}
    demoted = await belonging.owner.patch(
        f"{belonging.path}/members/{belonging.person.user_id}", {"role": "member"}, headers={"if-match": "*"}
    )
    assert demoted.status == 200
    assert await belonging.everywhere("PATCH", belonging.path, {"name": "By a member"}) == {(403, "forbidden")}
    assert await belonging.everywhere("GET", f"{belonging.path}/members") == {(200, None)}
    assert await belonging.refreshed(belonging.bound, belonging.nodes.there) == (200, belonging.org)


async def _closes_their_account(one: Belonging) -> None:
    assert (await one.person.post("/v1/users/me/closure", {"password": PASSWORD})).status == 200


async def _is_disabled(one: Belonging) -> None:
    await one.nodes.here.rows("update tenantry.users set disabled_at = now() where id = $1", one.user_id)


async def _signs_out_everywhere(one: Belonging) -> None:
    assert (await one.person.post("/v1/auth/logout", {"scope": "all"})).status == 204


ENDS = {
    _closes_their_account: {(401, "session_ended"), (403, "account_closed")},
    _is_disabled: {(401, "session_ended")},
    _signs_out_everywhere: {(401, "session_ended")},
}


@pytest.mark.parametrize("end", ENDS, ids=[end.__name__.strip("_") for end in ENDS])
async def test_whoever_is_signed_out_disabled_or_closed_is_refused_everywhere(
    belonging: Belonging, end: Callable[[Belonging], Awaitable[None]]
) -> None:
    await end(belonging)
    # a closed account may still be looked at and opened again: not so what belongs to others
    for path in (belonging.path, f"{belonging.path}/members", "/v1/orgs"):
        assert await belonging.everywhere("GET", path) == ENDS[end], path
    assert await belonging.everywhere("PATCH", belonging.path, {"name": "Mine"}) == ENDS[end]
    for node in belonging.nodes.all:
        assert await belonging.refreshed(belonging.bound, node) == (401, None)
        assert await belonging.refreshed(belonging.unbound, node) == (401, None)


async def test_one_session_that_is_revoked_ends_alone(belonging: Belonging) -> None:
    sessions = (await belonging.bound.get("/v1/users/me/sessions")).json["items"]
    [current] = [one["id"] for one in sessions if one["current"]]
    assert (await belonging.person.delete(f"/v1/users/me/sessions/{current}")).status == 204
    for name, headers in belonging.credentials.items():
        for node in belonging.nodes.all:
            answer = await node.get(belonging.path, headers=headers)
            assert (answer.status, answer.code) == ((401, "session_ended") if name == "bound" else (200, None)), name
    assert await belonging.refreshed(belonging.bound, belonging.nodes.there) == (401, None)


async def test_a_closed_organization_is_closed_to_every_member_at_once(belonging: Belonging) -> None:
    slug = (await belonging.owner.get(belonging.path)).json["slug"]
    closed = await belonging.owner.post(f"{belonging.path}/closure", {"slug": slug})
    assert closed.status == 200, closed
    assert await belonging.everywhere("GET", f"{belonging.path}/members") == {(403, "org_closed")}
    assert await belonging.everywhere("PATCH", belonging.path, {"name": "Mine"}) == {(403, "org_closed")}
    assert await belonging.refreshed(belonging.bound, belonging.nodes.there) == (200, None)


async def test_a_token_bound_to_one_organization_finds_no_other_though_its_person_belongs_there(
    belonging: Belonging,
) -> None:
    other = (await belonging.person.post("/v1/orgs", {"name": "Own"})).json["id"]
    nothing = IdKind("org").text(IdKind("org").new())
    headers = belonging.credentials["bound"]
    for node in belonging.nodes.all:
        for path in ("", "/members"):
            there, nowhere = [await node.get(f"/v1/orgs/{org}{path}", headers=headers) for org in (other, nothing)]
            assert (there.status, there.code) == (nowhere.status, nowhere.code) == (404, "not_found")
            for name in ("first", "unbound", "cookie"):
                answer = await node.get(f"/v1/orgs/{other}{path}", headers=belonging.credentials[name])
                assert answer.status == 200, name
        assert (await node.get(belonging.path, headers=headers)).status == 200
