"""A domain whose operations tell one tenant about another, or let one change another: the matrix is to find each."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID, USER_ID, IdKind
from tenantry.foundation.data.sql import many, maybe, run
from tenantry.foundation.domain import Domain
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.problems import Forbidden, NotFound
from tenantry.foundation.routes import Routes, Versioned
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.orgs.permissions import ORG_READ

EXAMPLE = "org_01jd4w2q8nf6v9m3x5c7b1r0kt"
MARK_ID = IdKind("mark")
OrgId = Annotated[str, Meta(pattern=f"^{ORG_ID.start}")]
routes = Routes("leaking")


class Row(msgspec.Struct, frozen=True):
    """Anything with a name."""

    id: UUID
    name: str


class Shown(Wire):
    """What is told."""

    names: list[str]


class Chosen(Wire):
    """An organization, where nobody should say which."""

    org_id: OrgId


class Search(Wire):
    """A filter that must be given."""

    q: str


class Pages(ListQuery):
    """A list's query."""

    order: Literal["name"] = "name"


person = maybe(Row, "select id, name from tenantry.users where id = :id")
org = maybe(Row, "select id, name from tenantry.orgs where id = :id")
every_org = many(Row, "select id, name from tenantry.orgs order by name, id limit 100")
rename = run("update tenantry.orgs set updated_at = tenantry.tick() where id = :id")


def _house(call: Call) -> SystemWork:
    return SystemWork(call, reason="a test")


@routes.get("/orgs/{org}/leaking/people/{user}", requires=ORG_READ, ids={"user": USER_ID})
async def forgets_the_filter(call: Call, user: UUID) -> Shown:
    """Read whoever is named, as the house."""
    async with _house(call) as work:
        found = await person(work, id=user)
    if found is None:
        raise NotFound
    return Shown(names=[found.name])


@routes.get("/orgs/{org}/leaking/everything", requires=ORG_READ)
async def shows_everything(call: Call) -> Shown:
    """List what all tenants have."""
    async with _house(call) as work:
        return Shown(names=[one.name for one in await every_org(work)])


@routes.post("/orgs/{org}/leaking/body", requires=ORG_READ, example={"org_id": EXAMPLE})
async def takes_it_from_the_body(call: Call, body: Chosen) -> Shown:
    """Read the organization that the body names."""
    async with _house(call) as work:
        found = await org(work, id=ORG_ID.read(body.org_id))
    if found is None:
        raise NotFound
    return Shown(names=[found.name])


@routes.get("/leaking/places/{place}", requires=ONESELF, ids={"place": ORG_ID})
async def says_forbidden(call: Call, place: UUID) -> None:
    """Say of what exists that it may not be seen."""
    async with _house(call) as work:
        found = await org(work, id=place)
    raise Forbidden if found else NotFound


@routes.post("/orgs/{org}/leaking/writes", requires=ORG_READ, status=204, example={"org_id": EXAMPLE})
async def writes_to_another(call: Call, body: Chosen) -> None:
    """Change the organization that the body names, and say nothing of it."""
    async with _house(call) as work:
        await rename(work, id=ORG_ID.read(body.org_id))


@routes.get("/orgs/{org}/leaking/search", requires=ORG_READ)
async def finds_others(call: Call, query: Search) -> Shown:
    """Say how many match, whose they may be."""
    async with _house(call) as work:
        return Shown(names=["one" for one in await every_org(work) if query.q in one.name])


class Cursors(Wire):
    """A list with a cursor that says where it ends."""

    items: list[str]
    next: str | None


@routes.get("/orgs/{org}/leaking/cursors", requires=ORG_READ)
async def hands_out_open_cursors(work: OrgWork, query: Pages) -> Cursors:
    """Go on behind whatever the cursor says, whose it may be."""
    given = query.after if isinstance(query.after, str) else None
    known = given is None or ORG_ID.read(given) is not None
    if not known:
        raise NotFound
    return Cursors(items=[], next=ORG_ID.text(work.org) if given is None else None)


@routes.get("/orgs/{org}/leaking/tagged", requires=ORG_READ)
async def marks_its_answer(call: Call) -> Versioned[Shown]:
    """Break where it should not."""
    raise RuntimeError("a mistake")


domain = Domain(name="leaking", needs=("orgs",), routes=routes)


# operations that cannot be asked: the matrix has to say so instead of passing

unaskable = Routes("unaskable")


@unaskable.post("/orgs/{org}/unaskable/bodies", requires=ORG_READ)
async def has_no_example(work: OrgWork, body: Chosen) -> Shown:
    """Take a body of which there is no example."""
    return Shown(names=[])


@unaskable.post("/orgs/{org}/unaskable/wrong", requires=ORG_READ, example={"org": 7})
async def has_a_wrong_example(work: OrgWork, body: Chosen) -> Shown:
    """Take a body of which the example does not fit."""
    return Shown(names=[])


without = Domain(name="unaskable", needs=("orgs",), routes=unaskable)
