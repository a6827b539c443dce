"""Lists: every row once whatever comes and goes, and cursors that are good for one list, order and person only."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, get_args, get_origin
from uuid import UUID

import asyncpg
import msgspec
import pytest

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import many
from tenantry.foundation.domain import Registry
from tenantry.foundation.listing import BadCursor, ListAnswer, Listing, ListQuery
from tenantry.foundation.security.cursors import Cursors
from tenantry.foundation.security.keys import MasterKeys, new_master_key
from tenantry.foundation.security.tokens import BadToken, from_base64url
from tenantry.foundation.work import SystemWork
from tenantry.testing import Installation

START = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
ALPHABET = string.ascii_letters + string.digits + "-_"


class Asked(msgspec.Struct, frozen=True):
    """A row to be listed."""

    id: UUID
    created_at: datetime


class Query(ListQuery):
    """A query of a list with two orders."""

    order: Literal["-created_at", "created_at"] = "-created_at"


newest = many(
    Asked,
    """
    select id, created_at
      from tenantry.registrations
     where name = :name
       and (created_at, id) < (coalesce(:after_key, 'infinity'::timestamptz),
                               coalesce(:after_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
     order by created_at desc, id desc
     limit :rows
    """,
)
oldest = many(
    Asked,
    """
    select id, created_at
      from tenantry.registrations
     where name = :name
       and (created_at, id) > (coalesce(:after_key, '-infinity'::timestamptz),
                               coalesce(:after_id, '00000000-0000-0000-0000-000000000000'::uuid))
     order by created_at, id
     limit :rows
    """,
)
listing = Listing("tests.registrations", {"-created_at": newest, "created_at": oldest})
the_same = Listing("tests.others", {"-created_at": newest, "created_at": oldest})
ADA, BOB, ORG, LAB = (new_id() for _ in range(4))


class Shelf:
    """Rows of one name, put there and taken away by hand."""

    def __init__(self, house: Installation, name: str) -> None:
        self._house, self.name = house, name

    async def put(self, *rows: Asked) -> None:
        await self._run(
            "insert into tenantry.registrations (id, email, email_key, name, password_hash, created_at, expires_at)"
            " values ($1, '', '', $2, '', $3, $3)",
            [(row.id, self.name, row.created_at) for row in rows],
        )

    async def take(self, *rows: Asked) -> None:
        await self._run("delete from tenantry.registrations where id = $1", [(row.id,) for row in rows])

    async def read(
        self, query: Query, *, list_: Listing[Asked] = listing, actor: Actor | None = None, name: str | None = None
    ) -> tuple[list[Asked], str | None]:
        call = Call(self._house.runtime, actor or Actor("person", person=ADA, org=ORG), "test")
        async with SystemWork(call, reason="a test", reading=True) as work:
            return await list_.read(work, query, name=name or self.name)

    async def _run(self, statement: str, arguments: list[tuple[Any, ...]]) -> None:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(self._house.runtime.database.url)
        try:
            async with connection.transaction():
                await connection.execute("set local role tenantry_system")
                await connection.executemany(statement, arguments)
        finally:
            await connection.close()


@pytest.fixture
def shelf(house: Installation, request: pytest.FixtureRequest) -> Shelf:
    """Rows of this test alone."""
    return Shelf(house, request.node.name)


def _row(chance: random.Random) -> Asked:
    # few instants for many rows, so that pages end among equals
    return Asked(new_id(), START + timedelta(microseconds=chance.randrange(4)))


@pytest.mark.parametrize("order", ["-created_at", "created_at"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 13, 100])
async def test_every_row_is_seen_once_in_order_while_others_come_and_go(shelf: Shelf, limit: int, order: Any) -> None:
    chance = random.Random(f"{limit}{order}")
    staying, going = [_row(chance) for _ in range(12)], [_row(chance) for _ in range(12)]
    await shelf.put(*staying, *going)
    seen: list[Asked] = []
    after: str | msgspec.UnsetType = msgspec.UNSET
    for _ in range(80):
        rows, following = await shelf.read(Query(limit=limit, order=order, after=after))
        seen += rows
        assert len(rows) <= limit
        if following is None:
            break
        assert len(rows) == limit
        after = following
        if going:
            await shelf.take(going.pop())
        await shelf.put(_row(chance))
    else:
        pytest.fail("the list never ends")
    keys = [(row.created_at, row.id) for row in seen]
    assert keys == sorted(set(keys), reverse=order.startswith("-"))
    assert set(staying) <= set(seen)


@pytest.mark.parametrize("count", [0, 1, 4, 5])
async def test_a_page_that_shows_the_last_row_has_no_next(shelf: Shelf, count: int) -> None:
    await shelf.put(*(_row(random.Random(1)) for _ in range(count)))
    rows, following = await shelf.read(Query(limit=4))
    assert (len(rows), following is not None) == (min(count, 4), count > 4)


async def _cursor(shelf: Shelf) -> str:
    await shelf.put(*(_row(random.Random(2)) for _ in range(3)))
    _, cursor = await shelf.read(Query(limit=1))
    assert cursor is not None
    return cursor


async def test_a_cursor_altered_at_any_place_is_refused(shelf: Shelf) -> None:
    cursor = await _cursor(shelf)
    for place, char in enumerate(cursor):
        other = ALPHABET[(ALPHABET.index(char) + 1 + place % 62) % len(ALPHABET)]
        with pytest.raises(BadCursor):
            await shelf.read(Query(limit=1, after=cursor[:place] + other + cursor[place + 1 :]))


async def test_a_text_that_is_no_cursor_is_refused(shelf: Shelf) -> None:
    cursor = await _cursor(shelf)
    for text in ("", "null", "AAAA", "ü", "=", cursor[1:], cursor[:-1], cursor + "A", cursor + "=", "A" * 22, "A" * 80):
        with pytest.raises(BadCursor):
            await shelf.read(Query(limit=1, after=text))


async def test_a_cursor_is_good_for_its_own_list_order_filter_and_asker_only(shelf: Shelf) -> None:
    cursor = await _cursor(shelf)
    query = Query(limit=1, after=cursor)
    rows, _ = await shelf.read(query)
    assert len(rows) == 1
    strange: list[tuple[Query, dict[str, Any]]] = [
        (Query(limit=1, after=cursor, order="created_at"), {}),
        (query, {"list_": the_same}),
        (query, {"name": "another filter"}),
        (query, {"actor": Actor("person", person=BOB, org=ORG)}),
        (query, {"actor": Actor("person", person=ADA, org=LAB)}),
        (query, {"actor": Actor("person", person=ADA)}),
        (query, {"actor": Actor("anonymous")}),
    ]
    for other, rest in strange:
        with pytest.raises(BadCursor):
            await shelf.read(other, **rest)


async def test_a_cursor_goes_on_with_another_limit(shelf: Shelf) -> None:
    cursor = await _cursor(shelf)
    rows, following = await shelf.read(Query(limit=100, after=cursor))
    assert (len(rows), following) == (2, None)


async def test_a_cursor_shows_nothing_of_where_it_points(shelf: Shelf) -> None:
    cursor = await _cursor(shelf)
    raw = from_base64url(cursor)
    for row, _ in [await shelf.read(Query(limit=100))]:
        for one in row:
            assert one.id.bytes not in raw
            assert str(one.id).encode() not in raw
    assert b"2031" not in raw


def test_a_cursor_outlives_a_new_master_key_and_not_the_loss_of_its_own() -> None:
    old, new = new_master_key("old").reveal(), new_master_key("new").reveal()
    cursor = Cursors(MasterKeys.parse(old)).seal(b"place", bound=b"list")
    assert Cursors(MasterKeys.parse(f"{new},{old}")).open(cursor, bound=b"list") == b"place"
    with pytest.raises(BadToken):
        Cursors(MasterKeys.parse(new)).open(cursor, bound=b"list")


async def test_a_cursor_whose_key_is_of_another_kind_by_now_is_refused(house: Installation, shelf: Shelf) -> None:
    await _cursor(shelf)
    actor = Actor("person", person=ADA, org=ORG)
    bound = msgspec.json.encode((listing.name, "-created_at", actor.org, actor.person, {"name": shelf.name}))
    for place in (b'["a text",1]', b"{}", b"not json"):
        with pytest.raises(BadCursor):
            await shelf.read(Query(after=house.runtime.cursors.seal(place, bound=bound)))


def test_every_list_is_answered_in_pages_and_names_its_orders(registry: Registry) -> None:
    lists = [route for route in registry.routes if route.query is not None and issubclass(route.query, ListQuery)]
    assert {route.path for route in lists} >= {"/v1/users/me/sessions"}
    for route in lists:
        assert issubclass(route.answer, ListAnswer), route.name
        fields = {field.name: field for field in msgspec.structs.fields(route.query)}
        order = fields["order"].type
        named = get_args(order)[0] if get_origin(order) is Annotated else order
        assert fields["order"].default in get_args(named), route.name
    pages = [
        route for route in registry.routes if isinstance(route.answer, type) and issubclass(route.answer, ListAnswer)
    ]
    assert pages == lists


async def test_the_document_shows_how_a_list_is_asked_for_and_answered(house: Installation) -> None:
    document = (await house.client.get("/openapi.json")).json
    operation = document["paths"]["/v1/users/me/sessions"]["get"]
    shown = {one["name"]: one for one in operation["parameters"]}
    assert set(shown) == {"limit", "after", "order"}
    assert not any(one["required"] for one in shown.values())
    limit = shown["limit"]["schema"]
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 100, 50)
    assert set(shown["order"]["schema"]["enum"]) == {"-last_used_at", "-created_at"}
    assert "bad_cursor" in operation["responses"]["400"]["content"]["application/problem+json"]["examples"]
    page = document["components"]["schemas"]["SessionList"]
    assert page["properties"]["items"]["items"] == {"$ref": "#/components/schemas/SessionView"}
    assert set(page["required"]) == {"items", "next"}
