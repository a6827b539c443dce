"""Tenants to be kept apart: people in every role, rows of every kind, and a canary in each text that can hold one."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from tenantry.billing.models import CHECKOUT_ID, NewCheckout, Offer
from tenantry.foundation.data.ids import ORG_ID, USER_ID, IdKind
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import ROLES, Role
from tenantry.testing.client import Client
from tenantry.testing.installation import PASSWORD, Installation
from tenantry.testing.matrix.hooks import hooks
from tenantry.testing.matrix.operations import AN_ID, Operation
from tenantry.testing.matrix.rows import Rows
from tenantry.testing.team import add_member, ask_for

Plant = Callable[[Client, str, str], Awaitable[None]]
"""Makes rows in a tenant that the examples of the document do not make: its owner's client, its id, its canary."""
ROWS_OF_EACH = 2
NEW = 201
# a link to an operation with what that needs in its query, for one use perhaps
A_LINK = re.compile(r"https?://[^/\s\"]+(/v1/[^?\s\"]+)\?(token=[^\s\"]+)")
# a text that is long enough for a canary, and obeys nothing else
ROOM = 60
# a job that waits so long is done by nobody while the matrix asks
NEVER = 1e7


class Tenant(msgspec.Struct):
    """One tenant: its organization, its people by role, and everything by which it could be recognized."""

    canary: str
    org: str
    slug: str
    people: Mapping[Role, Client]
    ids: dict[str, list[str]]
    rows: list[UUID] = []
    cursors: dict[str, str] = {}
    tags: dict[str, str] = {}
    unread: dict[str, int] = {}
    links: dict[str, list[str]] = {}

    @property
    def org_id(self) -> UUID:
        """Its id in the database."""
        return _uuid(ORG_ID, self.org)

    @property
    def person_ids(self) -> list[UUID]:
        """The ids of its people in the database."""
        return [_uuid(USER_ID, person.user_id) for person in self.people.values()]

    @property
    def canaries(self) -> re.Pattern[str]:
        """Whatever of it nobody else may read, in any spelling."""
        told = {self.canary}
        for one in (self.org_id, *self.person_ids, *self.rows):
            told |= {str(one), one.hex, ORG_ID.text(one).removeprefix(ORG_ID.start)}
        return re.compile("|".join(map(re.escape, sorted(told))))

    def named(self, kind: IdKind) -> list[str]:
        """Ids of its rows of a kind; of a kind that no answer named, all of its rows might be one."""
        return self.ids.get(kind.prefix) or [kind.text(row) for row in self.rows]

    def own(self, operation: Operation) -> dict[str, str] | None:
        """Ids of its own for the path of an operation; None where it has none of a kind."""
        found = {name: self.named(kind) for name, kind in operation.nested.items()}
        return {"org": self.org} | {name: some[0] for name, some in found.items()} if all(found.values()) else None


async def tenant(installation: Installation, canary: str, *, also: Client) -> Tenant:
    """A tenant with a person in each role, and somebody who belongs to others too."""
    canary = f"{canary}-{secrets.token_hex(4)}"
    people: dict[Role, Client] = {}
    for role in ROLES:
        people[role] = await installation.person(f"{canary}-{role}@example.com", name=f"{canary} {role}")
    founded = await people["owner"].post("/v1/orgs", {"name": f"{canary} org", "slug": canary})
    assert founded.status == NEW, founded
    org = founded.json["id"]
    # a second one of everything that a person has several of, so that lists of one's own go on too
    await people["owner"].post("/v1/orgs", {"name": f"{canary} second"})
    await people["owner"].post("/v1/auth/login", {"email": people["owner"].email, "password": PASSWORD})
    await add_member(installation.runtime, org, people["admin"], "admin")
    await add_member(installation.runtime, org, people["member"], "member")
    await add_member(installation.runtime, org, also, "member")
    ids = {"org": [org], "usr": [one.user_id for one in people.values()]}
    # no example of the document makes one: which verbs ask for a job that somebody waits for is each product's own
    job = NewJob(canary, delay=NEVER, tracked=True)
    ids["job"] = [await ask_for(installation.runtime, org, people["owner"], job) for _ in range(ROWS_OF_EACH)]
    ids[CHECKOUT_ID.prefix] = [await _checkout(installation, org, canary)]
    ids |= await hooks(installation, org, people["owner"].user_id, canary, ROWS_OF_EACH)
    return Tenant(canary, org, canary, people, ids)


KEEP_CHECKOUT = """
    insert into tenantry.billing_intents (org_id, id, kind, params, state, foreign_id, url, expires_at)
    values ($1, $2, 'checkout', $3::text::jsonb, 'open', $4, $5, tenantry.now() + interval '1 day')
 returning id
"""
OFFER = NewCheckout("cus_1", "price_1", Offer("team", 1, "month", "eur", 1200, per_seat=True, quantity=3))


async def _checkout(installation: Installation, org: str, canary: str) -> str:
    """A page on which the tenant could subscribe, as if there were a Stripe that had opened it."""
    made, params = CHECKOUT_ID.new(), msgspec.json.encode(OFFER).decode()
    url = f"https://checkout.example.com/{canary}"
    await installation.rows(KEEP_CHECKOUT, ORG_ID.read(org), made, params, f"cs_{canary}", url)
    return CHECKOUT_ID.text(made)


async def furnish(tenant: Tenant, found: Iterable[Operation], rows: Rows, plant: Plant | None) -> None:
    """Let the tenant's owner make rows of every kind, and read all there is: ids, cursors and tags."""
    owner, known = tenant.people["owner"], list(found)
    for operation in known:
        if operation.route.status == NEW and operation.route.in_org and not operation.nested:
            for _ in range(ROWS_OF_EACH):
                await _make(tenant, owner, operation)
    if plant is not None:
        await plant(owner, tenant.org, tenant.canary)
    # what an answer names opens the paths of others: an invite in a list, then the invite
    for _ in range(2):
        for operation in known:
            if operation.reads and not operation.route.public:
                await _read(tenant, owner, operation)
        tenant.rows = sorted(await rows.ids(tenant.org_id, tenant.person_ids))


async def _make(tenant: Tenant, owner: Client, operation: Operation) -> None:
    example = operation.body(lambda prefix: tenant.ids.get(prefix, [IdKind(prefix).text(IdKind(prefix).new())])[-1])
    path = operation.path({"org": tenant.org})
    # a text that is no free text is refused with a canary in it: then the example as it is
    for body in (_planted(example, operation, tenant.canary), example):
        made = await owner.post(path, body)
        if made.status == NEW:
            _learn(tenant, made.body)
            return


def _planted(example: Any, operation: Operation, canary: str) -> Any:
    if not isinstance(example, dict):
        return example
    return {name: _with(canary, part, operation.fields.get(name, {})) for name, part in example.items()}


def _with(canary: str, part: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(part, str) and "@" in part:
        return f"{canary}-{secrets.token_hex(3)}@example.com"
    if not isinstance(part, str) or AN_ID.fullmatch(part) or {"enum", "const", "format"} & schema.keys():
        return part
    return f"{part} {canary}" if schema.get("type") == "string" and schema.get("maxLength", ROOM) >= ROOM else part


async def _read(tenant: Tenant, owner: Client, operation: Operation) -> None:
    ids = tenant.own(operation)
    if ids is None:
        return
    needs = tenant.links[place].pop() if tenant.links.get(place := operation.path(ids)) else operation.needs
    path = place + joined(needs, "limit=1" if operation.lists else "")
    # a stream has no end to be read to
    answer = await owner.request("HEAD" if operation.route.streamed else "GET", path)
    _learn(tenant, answer.body)
    tenant.unread.pop(operation.name, None)
    if answer.status >= 300:
        tenant.unread[operation.name] = answer.status
    if "etag" in answer.headers:
        tenant.tags[operation.route.path] = answer.headers["etag"]
    if operation.lists and answer.status < 300 and answer.json.get("next"):
        tenant.cursors[operation.route.path] = answer.json["next"]


def _learn(tenant: Tenant, body: bytes) -> None:
    for found in AN_ID.finditer(body.decode("utf-8", "replace")):
        known = tenant.ids.setdefault(found.group(1), [])
        if found.group() not in known:
            known.append(found.group())
    for place, query in A_LINK.findall(body.decode("utf-8", "replace")):
        tenant.links.setdefault(place, []).append(query)


def text_of(body: Any) -> bytes | None:
    """A body as it goes out."""
    return None if body is None else json.dumps(body).encode()


def joined(*parameters: str) -> str:
    """Parameters as the tail of a path."""
    given = "&".join(filter(None, parameters))
    return f"?{given}" if given else ""


def _uuid(kind: IdKind, text: str) -> UUID:
    found = kind.read(text)
    assert found is not None, text
    return found
