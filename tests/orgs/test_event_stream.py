"""An organization's events as a stream: everything once and in order, to nobody who may not read it, until it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientTimeout
from happening import RECORD, happens, writer
from prometheus_client import REGISTRY

from faults.app import staged
from tenantry.entrypoints.http import streaming
from tenantry.entrypoints.http.witness import Witness
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.domain import Registry
from tenantry.foundation.events import in_org
from tenantry.testing import Client, Databases, Installation, Response, Team, installed
from tenantry.testing.installation import PASSWORD

BEAT = 0.5
IN_TIME = 10.0
MOST = 12


class Lines(Witness):
    """Keeps what is written down of each stream."""

    def __init__(self) -> None:
        super().__init__(lines=False)
        self.streams: list[tuple[int, str | None]] = []

    def saw(self, arrival: Any, status: int, started: float) -> None:
        if arrival.streamed:
            self.streams.append((status, arrival.problem.code if arrival.problem else None))
        super().saw(arrival, status, started)


@pytest.fixture(scope="module")
def lines() -> Lines:
    return Lines()


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory, lines: Lines
) -> AsyncIterator[Installation]:
    """An installation whose streams give signs of life all the time, and of which there may be few."""
    environ = {"TENANTRY_STREAM_HEARTBEAT": str(BEAT), "TENANTRY_STREAMS": str(MOST)}
    async with (
        databases.fresh() as url,
        installed(url, tmp_path_factory.mktemp("house"), registry=registry, environ=environ, witness=lines) as running,
    ):
        yield running


@pytest.fixture
async def team(house: Installation) -> Team:
    return await house.team()


@dataclass
class Message:
    """One message, or a sign of life, which has no kind."""

    id: str | None = None
    kind: str | None = None
    data: Any = None


@dataclass
class Stream:
    """A stream as its client sees it."""

    answer: aiohttp.ClientResponse
    last: str | None = None
    heard: list[Message] = field(default_factory=list)

    async def message(self) -> Message:
        """The next message or sign of life; EOFError at the end."""
        found = Message()
        async with asyncio.timeout(IN_TIME):
            while (line := (await self.answer.content.readline()).decode()) != "\n":
                if not line:
                    raise EOFError
                name, _, text = line.rstrip("\n").partition(": ")
                if name == "id":
                    found.id = self.last = text
                elif name == "event":
                    found.kind = text
                elif name == "data":
                    found.data = json.loads(text)
        self.heard.append(found)
        return found

    async def until(self, wanted: Callable[[Message], bool]) -> Message:
        """The next message that is wanted."""
        async with asyncio.timeout(IN_TIME):
            while True:
                if wanted(found := await self.message()):
                    return found

    async def next(self) -> Message:
        """The next message that says something."""
        return await self.until(lambda found: found.kind is not None)

    async def what(self) -> str:
        """What the next of our own events says."""
        return str((await self.until(lambda found: found.kind == "tests.happened")).data["data"]["what"])

    async def sign_of_life(self) -> None:
        """Wait for a sign of life."""
        await self.until(lambda found: found.kind is None and found.id is None)

    async def end(self) -> str:
        """Why it ended; nothing comes after that."""
        reason = (await self.until(lambda found: found.kind == "end")).data["reason"]
        with pytest.raises(EOFError):
            await self.message()
        return str(reason)


@asynccontextmanager
async def streaming_to(who: Client, org: str, *, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    """A client that listens."""
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    if "cookie" not in given:
        given |= {"authorization": f"Bearer {who.tokens['access_token']}"}
    async with (
        aiohttp.ClientSession(timeout=ClientTimeout(total=None, sock_read=IN_TIME)) as http,
        http.get(f"{who.origin}/v1/orgs/{org}/events/stream{query}", headers=given) as answer,
    ):
        yield Stream(answer)


@asynccontextmanager
async def listening(who: Client, org: str, **rest: Any) -> AsyncIterator[Stream]:
    """A client that listens and was let in."""
    async with streaming_to(who, org, **rest) as stream:
        assert stream.answer.status == 200, await stream.answer.text()
        assert (await stream.message()).id
        yield stream


async def eventually(condition: Callable[[], Awaitable[Any]], within: float = IN_TIME) -> None:
    async with asyncio.timeout(within):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def refused_to(who: Client, org: str) -> Response:
    """The answer to somebody who would listen and is refused: a stream itself would have no end."""
    async with asyncio.timeout(IN_TIME):
        return await who.get(f"/v1/orgs/{org}/events/stream")


async def open_ones() -> float:
    return float(streaming.streams_open._value.get())


async def nobody_listens() -> None:
    """Wait until every place is free."""

    async def free() -> bool:
        return await open_ones() == 0

    await eventually(free)


@pytest.fixture(autouse=True)
async def _alone() -> None:
    """Each test begins where the streams of the one before have gone."""
    await nobody_listens()


async def test_what_happens_is_told_within_a_second_and_a_half(house: Installation, team: Team) -> None:
    async with listening(team.owner, team.org) as stream:
        async with asyncio.timeout(1.5 + BEAT):
            assert (await team.owner.patch(team.path, {"name": "Acme & Co"})).status == 200
            told = await stream.next()
    item = (await team.owner.get(f"{team.path}/events?limit=1")).json["items"][0]
    assert (told.kind, told.data) == ("orgs.org_changed", item)
    assert told.data["actor"]["id"] == team.owner.user_id


async def test_news_wakes_a_stream_long_before_its_next_sign_of_life(
    databases: Databases, registry: Registry, tmp_path: Path
) -> None:
    environ = {"TENANTRY_STREAM_HEARTBEAT": "60"}
    async with (
        databases.fresh() as url,
        installed(url, tmp_path, registry=registry, environ=environ) as house,
    ):
        team = await house.team()
        async with listening(team.owner, team.org) as stream:
            for what in ("one", "two", "three"):
                await happens(house, team.org, what)
                async with asyncio.timeout(4):
                    assert await stream.what() == what
            async with writer(house) as connection:
                for number in range(250):
                    await connection.execute(RECORD, ORG_ID.read(team.org), json.dumps({"what": str(number)}))
            # more than one look takes, and no news after it
            assert [await stream.what() for _ in range(250)] == [str(number) for number in range(250)]


async def test_its_headers_keep_it_from_being_stored_packed_or_held_back(team: Team) -> None:
    async with listening(team.owner, team.org) as stream:
        headers = stream.answer.headers
        assert headers["content-type"] == "text/event-stream"
        assert headers["cache-control"] == "no-store, no-transform"
        assert headers["x-accel-buffering"] == "no"
        assert "content-length" not in headers
        assert "content-encoding" not in headers
        assert headers["x-request-id"]


async def test_a_head_gets_the_headers_and_takes_no_place(team: Team) -> None:
    for _ in range(MOST + 1):
        answer = await team.owner.request("HEAD", f"{team.path}/events/stream")
        assert (answer.status, answer.headers["content-type"], answer.body) == (200, "text/event-stream", b"")
    assert await open_ones() == 0
    assert (await team.member.request("HEAD", f"{team.path}/events/stream")).status == 403


async def test_a_browser_follows_with_its_cookie(house: Installation, team: Team) -> None:
    browser = house.browser()
    await browser.visit("/account/login")
    await browser.submit(email=team.owner.email, password=PASSWORD)
    cookie = "; ".join(f"{name}={text}" for name, text in browser.cookies.items())
    async with listening(team.owner, team.org, cookie=cookie) as stream:
        await happens(house, team.org, "for a browser")
        assert await stream.what() == "for a browser"


async def test_only_what_is_new_is_told_unless_one_says_where_one_was(house: Installation, team: Team) -> None:
    await happens(house, team.org, "before")
    async with listening(team.owner, team.org) as stream:
        await happens(house, team.org, "after")
        assert await stream.what() == "after"
        here = stream.last
    await happens(house, team.org, "in between")
    await happens(house, team.org, "later")
    async with listening(team.owner, team.org, last_event_id=here) as stream:
        assert [await stream.what(), await stream.what()] == ["in between", "later"]
    async with listening(team.owner, team.org, query=f"?after={here}") as stream:
        assert await stream.what() == "in between"
        newer = stream.last
    # a browser keeps its address and adds the header
    async with listening(team.owner, team.org, query=f"?after={here}", last_event_id=newer) as stream:
        assert await stream.what() == "later"


async def test_whoever_heard_nothing_yet_loses_nothing_when_cut_off(house: Installation, team: Team) -> None:
    async with listening(team.owner, team.org) as stream:
        here = stream.last
    await happens(house, team.org, "meanwhile")
    async with listening(team.owner, team.org, last_event_id=here) as stream:
        assert await stream.what() == "meanwhile"


async def test_a_stream_goes_on_where_the_list_ended(house: Installation, team: Team) -> None:
    end = (await team.owner.get(f"{team.path}/events?order=position&limit=100")).json["next"]
    await happens(house, team.org, "since")
    async with listening(team.owner, team.org, query=f"?after={end}") as stream:
        told = await stream.until(lambda found: found.kind == "tests.happened")
    listed = (await team.owner.get(f"{team.path}/events?order=position&after={told.id}")).json
    assert told.data["data"]["what"] == "since"
    assert listed["items"] == []


async def test_nothing_is_lost_or_told_twice_across_cuts_while_many_write(house: Installation, team: Team) -> None:
    heard: list[str] = []
    expected = 60

    async def write(name: int) -> None:
        for number in range(expected // 3):
            async with writer(house) as connection:
                what = json.dumps({"what": f"{name}.{number}"})
                await connection.execute(RECORD, ORG_ID.read(team.org), what)
                if (name + number) % 4 == 0:
                    await connection.execute("select pg_sleep(0.05)")

    async def follow() -> None:
        here = start
        while len(heard) < expected:
            async with listening(team.owner, team.org, last_event_id=here) as stream:
                for _ in range(min(7, expected - len(heard))):
                    heard.append(await stream.what())
                here = stream.last

    async with listening(team.owner, team.org) as first:
        start = first.last
    async with asyncio.timeout(40):
        await asyncio.gather(follow(), *(write(name) for name in range(3)))
    assert len(set(heard)) == len(heard) == expected
    for name in range(3):
        assert [what for what in heard if what.startswith(f"{name}.")] == [
            f"{name}.{number}" for number in range(expected // 3)
        ]


async def test_an_event_of_a_late_commit_is_told_before_those_it_held_up(house: Installation, team: Team) -> None:
    async with listening(team.owner, team.org) as stream:
        async with writer(house) as slow:
            await slow.execute(RECORD, ORG_ID.read(team.org), '{"what": "late"}')
            await happens(house, team.org, "quick")
            for _ in range(3):
                await stream.sign_of_life()
            assert all(found.kind is None for found in stream.heard)
        assert [await stream.what(), await stream.what()] == ["late", "quick"]


@pytest.mark.parametrize("whose", ["another person's", "another organization's", "altered", "no"])
async def test_a_place_is_good_for_its_person_and_organization_only(team: Team, whose: str) -> None:
    other = (await team.owner.post("/v1/orgs", {"name": "Other"})).json["id"]
    async with listening(team.owner, team.org) as stream:
        place = str(stream.last)
    who, org = (team.admin if whose == "another person's" else team.owner), team.org
    org = other if whose == "another organization's" else org
    place = {"altered": ("B" if place[0] == "A" else "A") + place[1:], "no": "\xff" * 2000}.get(whose, place)
    for given in ({"last_event_id": place}, {"query": f"?after={place}"}):
        if whose == "no" and "query" in given:
            continue
        async with streaming_to(who, org, **given) as refused:
            assert (refused.answer.status, (await refused.answer.json())["code"]) == (400, "bad_cursor")


async def test_two_organizations_are_never_mixed(house: Installation, team: Team) -> None:
    other = (await team.owner.post("/v1/orgs", {"name": "Other"})).json["id"]
    async with listening(team.owner, team.org) as here, listening(team.owner, other) as there:
        for number in range(5):
            await happens(house, team.org, f"here {number}")
            await happens(house, other, f"there {number}")
        assert [await here.what() for _ in range(5)] == [f"here {number}" for number in range(5)]
        assert [await there.what() for _ in range(5)] == [f"there {number}" for number in range(5)]
        assert {found.data["org_id"] for found in here.heard if found.kind} == {team.org}
        assert {found.data["org_id"] for found in there.heard if found.kind} == {other}


async def _logs_out_elsewhere(team: Team) -> None:
    elsewhere = await team.admin.post("/v1/auth/login", {"email": team.admin.email, "password": PASSWORD})
    answer = await team.admin.signed_in(elsewhere.json).post("/v1/auth/logout", {"scope": "others"})
    assert answer.status == 204, answer


async def _is_removed(team: Team) -> None:
    assert (await team.owner.delete(f"{team.path}/members/{team.admin.user_id}")).status == 204


async def _is_demoted(team: Team) -> None:
    path, match = f"{team.path}/members/{team.admin.user_id}", {"if-match": "*"}
    assert (await team.owner.patch(path, {"role": "member"}, headers=match)).status == 200


async def _org_is_closed(team: Team) -> None:
    slug = (await team.owner.get(team.path)).json["slug"]
    assert (await team.owner.post(f"{team.path}/closure", {"slug": slug})).status == 200


async def _closes_account(team: Team) -> None:
    answer = await team.admin.post("/v1/users/me/closure", {"password": PASSWORD})
    assert answer.status < 300, answer


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_logs_out_elsewhere, "session_ended"),
        (_is_removed, "not_found"),
        (_is_demoted, "forbidden"),
        (_org_is_closed, "org_closed"),
        (_closes_account, "account_closed"),
    ],
)
async def test_a_stream_ends_by_the_next_sign_of_life_once_it_may_not_be_read(
    house: Installation, team: Team, lines: Lines, change: Callable[[Team], Awaitable[None]], reason: str
) -> None:
    async with listening(team.admin, team.org) as stream:
        await stream.sign_of_life()
        await change(team)
        before = len(stream.heard)
        await happens(house, team.org, "not for this reader")
        async with asyncio.timeout(BEAT + 2):
            assert await stream.end() == reason
        heard = stream.heard[before:]
        assert "not for this reader" not in json.dumps([found.data for found in heard])
        assert len([found for found in heard if found.kind is None]) <= 2
    await nobody_listens()
    assert lines.streams[-1] == (200, reason)


async def test_whoever_stays_is_not_disturbed_by_whoever_goes(house: Installation, team: Team) -> None:
    async with listening(team.owner, team.org) as stays, listening(team.admin, team.org) as goes:
        await _is_removed(team)
        assert await goes.end() == "not_found"
        await happens(house, team.org, "still here")
        assert await stays.what() == "still here"


async def test_who_may_follow(house: Installation, team: Team) -> None:
    for who, status in ((team.owner, 200), (team.admin, 200), (team.member, 403), (team.stranger, 404)):
        async with streaming_to(who, team.org) as stream:
            assert stream.answer.status == status
    assert (await house.client.get(f"{team.path}/events/stream")).status == 401
    assert (await team.owner.get(f"{team.path}/events/stream?kind=orgs.*")).status == 422


@asynccontextmanager
async def several(count: int, who: Client, *orgs: str) -> AsyncIterator[list[Stream]]:
    """So many streams of a person at once."""
    async with asyncio.timeout(30):
        entered = [listening(who, orgs[number % len(orgs)]) for number in range(count)]
        streams = [await one.__aenter__() for one in entered]
    try:
        yield streams
    finally:
        for one in entered:
            await one.__aexit__(None, None, None)


async def test_a_person_has_few_streams_in_an_organization_and_the_others_are_not_disturbed(team: Team) -> None:
    async with several(streaming.MOST_IN_ORG, team.owner, team.org) as streams:
        refused = await refused_to(team.owner, team.org)
        assert (refused.status, refused.code) == (429, "too_many_streams")
        assert int(refused.headers["retry-after"]) >= 1
        async with listening(team.admin, team.org):
            pass
        await streams[0].sign_of_life()
    await nobody_listens()
    async with listening(team.owner, team.org):
        pass


async def test_a_person_has_few_streams_in_all_their_organizations(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MOST_OF_PERSON", 4)
    other = (await team.owner.post("/v1/orgs", {"name": "Other"})).json["id"]
    async with several(4, team.owner, team.org, other):
        assert (await refused_to(team.owner, other)).code == "too_many_streams"


async def test_a_process_has_so_many_streams(house: Installation, team: Team) -> None:
    others = [await house.team(f"Team {number}") for number in range(2)]
    async with (
        several(5, team.owner, team.org),
        several(5, others[0].owner, others[0].org),
        several(MOST - 10, others[1].owner, others[1].org),
    ):
        refused = await refused_to(team.admin, team.org)
        assert (refused.status, refused.code) == (503, "streams_full")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await team.admin.get(f"{team.path}/events")).status == 200


async def test_a_client_that_hangs_up_frees_its_place(house: Installation, team: Team) -> None:
    async with several(streaming.MOST_IN_ORG, team.owner, team.org):
        assert await open_ones() == streaming.MOST_IN_ORG

    async def free() -> bool:
        return await open_ones() == 0

    await eventually(free, within=BEAT + 1)
    assert house.runtime.database.pool.in_use == 0


async def test_no_connection_is_held_between_looks(narrow: Installation) -> None:
    team = await narrow.team()
    async with several(3, team.owner, team.org):
        for _ in range(20):
            assert (await team.owner.get(team.path)).status == 200
        assert narrow.runtime.database.pool.in_use == 0


async def _deaf(team: Team) -> socket.socket:
    """A client that asks for a stream and never reads."""
    host, port = team.owner.origin.removeprefix("http://").split(":")
    mute = socket.socket()
    mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    mute.settimeout(0)
    await asyncio.get_running_loop().sock_connect(mute, (host, int(port)))
    head = f"GET {team.path}/events/stream HTTP/1.1\r\nHost: {host}\r\n" + (
        f"Authorization: Bearer {team.owner.tokens['access_token']}\r\n\r\n"
    )
    await asyncio.get_running_loop().sock_sendall(mute, head.encode())
    return mute


async def test_clients_that_do_not_read_are_left_and_keep_their_places_until_they_hang_up(
    house: Installation, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "WRITE_WITHIN", 0.5)
    left: list[str] = []
    monkeypatch.setattr(streaming.log, "info", lambda event, **_: left.append(event))
    deaf = [await _deaf(team) for _ in range(streaming.MOST_IN_ORG)]

    async def open_() -> bool:
        return await open_ones() == len(deaf)

    await eventually(open_)
    async with writer(house) as connection:
        payload = json.dumps({"what": "x" * 60_000})
        await connection.executemany(RECORD, [(ORG_ID.read(team.org), payload)] * 300)

    async def all_left() -> bool:
        return len(left) == len(deaf)

    await eventually(all_left)
    assert house.runtime.database.pool.in_use == 0
    assert (await refused_to(team.owner, team.org)).code == "too_many_streams"
    for mute in deaf:
        mute.close()
    await nobody_listens()
    async with listening(team.owner, team.org):
        pass


async def test_streams_at_rest_look_no_more_often_than_they_give_signs_of_life(
    house: Installation, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, read_on = [], in_org.read_on

    async def counted(*given: Any, **more: Any) -> Any:
        looks.append(given)
        return await read_on(*given, **more)

    monkeypatch.setattr(in_org, "read_on", counted)
    async with several(4, team.owner, team.org) as streams:
        for stream in streams:
            for _ in range(4):
                await stream.sign_of_life()
    signs = sum(found.kind is None and found.id is None for stream in streams for found in stream.heard)
    # beside those, the first of each and one that whoever waits for news is woken with
    assert len(looks) <= signs + 3 * len(streams) + 4


async def test_a_stream_ends_after_its_time_and_can_be_gone_on_with(
    databases: Databases, registry: Registry, tmp_path: Path
) -> None:
    environ = {"TENANTRY_STREAM_LIFE": "0.3"}
    async with (
        databases.fresh() as url,
        installed(url, tmp_path, registry=registry, environ=environ) as house,
    ):
        team = await house.team()
        async with listening(team.owner, team.org) as stream:
            assert await stream.end() == "renew"
        await happens(house, team.org, "between two")
        async with listening(team.owner, team.org, last_event_id=stream.last) as stream:
            assert await stream.what() == "between two"


async def test_a_stream_is_no_slow_request(
    house: Installation, team: Team, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"method": "GET", "route": "/v1/orgs/{org}/events/stream"}

    def counted() -> tuple[float, float]:
        answered = REGISTRY.get_sample_value("tenantry_http_requests_total", labels | {"status": "200"})
        timed = REGISTRY.get_sample_value("tenantry_http_request_seconds_count", labels)
        return answered or 0, timed or 0

    answered, timed = counted()
    seen = len(lines.streams)
    async with listening(team.owner, team.org) as stream:
        await stream.sign_of_life()
        assert len(lines.streams) == seen
    await nobody_listens()

    async def told() -> bool:
        return len(lines.streams) == seen + 1

    await eventually(told)
    assert counted() == (answered + 1, timed)


async def test_a_stream_breaks_with_its_look_and_says_so(
    house: Installation, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(team.owner, team.org) as stream:

        async def broken(*_: Any, **__: Any) -> None:
            raise RuntimeError("of a test")

        monkeypatch.setattr(in_org, "read_on", broken)
        assert await stream.end() == "internal"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_that_is_told_to_stop_ends_its_streams_and_itself_at_once(
    databases: Databases, registry: Registry, tmp_path: Path, number: signal.Signals
) -> None:
    async with staged(databases, registry, tmp_path) as stage:
        await stage.start()
        team = await stage.behind.team()
        owner = Client(team.owner._http, stage.client.origin, tokens=team.owner.tokens)
        async with listening(owner, team.org) as first, listening(owner, team.org) as second:
            await happens(stage.behind, team.org, "before the end")
            assert [await first.what(), await second.what()] == ["before the end"] * 2
            os.killpg(stage.app.pid, number) if number == signal.SIGINT else stage.app.tell(number)
            async with asyncio.timeout(3):
                assert [await first.end(), await second.end()] == ["stopping", "stopping"]
            assert await stage.app.ended(within=5) == 0
        assert not [line for line in stage.app.lines() if "Traceback" in line]


def _described(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(document["paths"]["/v1/orgs/{org}/events/stream"]["get"])


async def test_the_document_says_what_a_stream_is(house: Installation) -> None:
    document = (await house.client.get("/openapi.json")).json
    stream = _described(document)
    ((kind, content),) = stream["responses"]["200"]["content"].items()
    assert kind == "text/event-stream"
    data = content["schema"]["properties"]["data"]
    assert {"$ref": "#/components/schemas/EventView"} in data["contentSchema"]["anyOf"]
    assert {"Last-Event-ID", "after", "org"} == {one["name"] for one in stream["parameters"]}
    assert {"429", "503", "400", "403", "404"} <= stream["responses"].keys()
