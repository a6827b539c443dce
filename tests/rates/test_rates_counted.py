"""Whom requests count for over HTTP: sources that cannot be invented, persons, keys and organizations of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rates_kit import PROXIED, counting, items, left, limited, me

from tenantry.assemble import DOMAINS
from tenantry.foundation.call import Call
from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.routes import Routes
from tenantry.foundation.security.api_keys import new_key
from tenantry.foundation.security.limits import RateLimited
from tenantry.foundation.security.rates.house import REFUSED_CREDENTIALS
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.orgs.permissions import ORG_READ
from tenantry.testing import Client, Databases, HandClock, Installation, Team, installed

SOURCES, PEOPLE = 30, 25
HERE, THERE = "192.0.2.1", "198.51.100.2"
JUNK = "Bearer eyJhbGciOiJFZERTQSJ9.e30.{number}"


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation of few turns a minute, by a clock that stands still."""
    folder = tmp_path_factory.mktemp("counting")
    still = HandClock(folder / "clock").environ["TENANTRY_TEST_CLOCK"]
    rates = {"SOURCE_RATE": "1000", "API_RATE": str(PEOPLE)}
    async with databases.fresh() as url, counting(url, folder, registry, TEST_CLOCK=still, **rates) as running:
        yield running


@pytest.fixture
async def narrow(
    database_url: str, registry: Registry, tmp_path: Path, clock: HandClock
) -> AsyncIterator[Installation]:
    """One where a source has few turns too."""
    rates = {"SOURCE_RATE": str(SOURCES), "API_RATE": "1000"} | {"TEST_CLOCK": clock.environ["TENANTRY_TEST_CLOCK"]}
    async with counting(database_url, tmp_path, registry, **rates) as running:
        yield running


@pytest.fixture
async def busy(database_url: str, registry: Registry, tmp_path: Path, clock: HandClock) -> AsyncIterator[Installation]:
    """One where people and their organizations may ask often."""
    rates = {"SOURCE_RATE": "1000", "API_RATE": "1000"} | {"TEST_CLOCK": clock.environ["TENANTRY_TEST_CLOCK"]}
    async with counting(database_url, tmp_path, registry, **rates) as running:
        yield running


@pytest.fixture(scope="module")
async def team(house: Installation) -> Team:
    """People in an organization there."""
    return await house.team()


def source_of(number: int) -> str:
    """Some source that nothing else in this file comes from."""
    return f"203.0.113.{number}"


async def _asked(client: Client, source: str, times: int, path: str = "/openapi.json") -> int:
    """How many of so many at once were not refused."""
    ask = (client.get(path, headers={"x-forwarded-for": source}) for _ in range(times))
    return sum(not limited(answer) for answer in await asyncio.gather(*ask))


# --- sources ---


async def test_a_source_is_answered_exactly_as_often_as_it_may_ask_and_others_are_untouched(
    narrow: Installation,
) -> None:
    assert await _asked(narrow.client, HERE, 50) == SOURCES
    assert await _asked(narrow.client, THERE, 5) == 5


async def test_waiting_the_told_time_is_enough(narrow: Installation, clock: HandClock) -> None:
    assert await _asked(narrow.client, HERE, 50) == SOURCES
    refused = await me(narrow.client, HERE)
    assert limited(refused)
    clock.advance(seconds=int(refused.headers["retry-after"]) - 1)
    assert limited(await me(narrow.client, HERE))
    clock.advance(seconds=1)
    assert not limited(await me(narrow.client, HERE))


async def test_whatever_is_asked_counts_for_the_source_and_probes_do_not(narrow: Installation) -> None:
    odd = [
        ("GET", "/v1/users/me"),
        ("HEAD", "/openapi.json"),
        ("GET", "/V1/USERS/ME"),
        ("GET", "/v1//users/me"),
        ("GET", "/v1/nothing/here"),
        ("DELETE", "/openapi.json"),
        ("OPTIONS", "/v1/users/me"),
    ]
    said = []
    for method, path in odd:
        answer = await narrow.client.request(method, path, headers={"x-forwarded-for": HERE})
        said.append(left(answer)["source"])
    assert said == list(range(SOURCES - 1, SOURCES - 1 - len(odd), -1))
    for path in ("/livez", "/readyz"):
        assert "ratelimit" not in (await narrow.client.get(path, headers={"x-forwarded-for": HERE})).headers


@pytest.mark.parametrize("proxies", ["", "10.0.0.0/8"])
async def test_who_invents_sources_is_counted_by_the_real_one(
    database_url: str, registry: Registry, tmp_path: Path, proxies: str
) -> None:
    settings = {"SOURCE_RATE": str(SOURCES), "TRUSTED_PROXIES": proxies}
    async with counting(database_url, tmp_path, registry, **settings) as house:
        sources = [f"192.0.2.{n % 250}, 198.51.100.{n % 250}" for n in range(200)]
        ask = (house.client.get("/openapi.json", headers={"x-forwarded-for": one}) for one in sources)
        passed = sum(not limited(answer) for answer in await asyncio.gather(*ask))
    # a turn may come back while they are asked
    assert SOURCES <= passed <= SOURCES + 3


@pytest.mark.parametrize(
    ("proxies", "appended"),
    [("127.0.0.0/8", "192.0.2.9"), ("127.0.0.0/8,10.0.0.0/8", "192.0.2.9, 10.1.2.3")],
    ids=["one", "two"],
)
async def test_behind_proxies_what_they_appended_counts_and_nothing_left_of_it(
    database_url: str, registry: Registry, tmp_path: Path, proxies: str, appended: str
) -> None:
    async with counting(database_url, tmp_path, registry, SOURCE_RATE=str(SOURCES), TRUSTED_PROXIES=proxies) as house:
        forged = [f"198.51.100.{n % 250}, 127.0.0.1, {appended}" for n in range(100)]
        ask = (house.client.get("/openapi.json", headers={"x-forwarded-for": one}) for one in forged)
        passed = sum(not limited(answer) for answer in await asyncio.gather(*ask))
        assert SOURCES <= passed <= SOURCES + 3
        assert await _asked(house.client, appended.replace("192.0.2.9", "192.0.2.10"), 5) == 5


async def test_a_network_of_ipv6_addresses_is_one_source(narrow: Installation) -> None:
    passed = [await _asked(narrow.client, f"2001:db8::{number:x}", 1) for number in range(1, SOURCES + 20)]
    assert sum(passed) == SOURCES
    assert await _asked(narrow.client, "2001:db8:0:1::1", 5) == 5


# --- credentials ---


async def _junk(client: Client, source: str, number: int) -> str | None:
    answer = await me(client, source, authorization=JUNK.format(number=number))
    assert answer.status == (429 if limited(answer) else 401)
    if answer.status == 429:
        assert answer.json["violated-policies"] == ["credentials"]
    return answer.code


async def test_tokens_that_are_none_share_the_turns_of_their_source_and_lock_out_no_good_one(
    house: Installation, team: Team
) -> None:
    source = source_of(10)
    codes = [await _junk(house.client, source, number) for number in range(REFUSED_CREDENTIALS + 5)]
    assert codes == ["unauthenticated"] * REFUSED_CREDENTIALS + ["rate_limited"] * 5
    # whether this process has met it before or not
    known, new = team.owner, await house.person()
    for person in (known, new):
        assert (await me(person, source)).status == 200
    assert await _junk(house.client, source_of(11), 0) == "unauthenticated"


async def test_a_request_without_a_credential_takes_no_turn_of_those_with_a_bad_one(house: Installation) -> None:
    source = source_of(12)
    for _ in range(REFUSED_CREDENTIALS + 5):
        assert (await me(house.client, source)).code == "unauthenticated"
    assert await _junk(house.client, source, 0) == "unauthenticated"


async def test_whoever_has_a_token_that_has_expired_is_told_so_however_often(
    narrow: Installation, clock: HandClock
) -> None:
    ada = await narrow.person()
    clock.advance(minutes=6)
    for number in range(REFUSED_CREDENTIALS + 5):
        answer = await me(ada, source_of(number))
        assert answer.status == 401
        assert "invalid_token" in answer.headers["www-authenticate"]
        assert "credentials" not in left(answer)


def _of(house: Installation, key: str) -> Client:
    return house.client.signed_in({"access_token": key})


async def _members(client: Client, team: Team, source: str) -> str:
    answer = await client.get(f"{team.path}/members", headers={"x-forwarded-for": source})
    return answer.code or str(answer.status)


async def _key(team: Team) -> str:
    answer = await team.owner.post(f"{team.path}/api-keys", {"name": "Report", "scopes": ["members:read"]})
    assert answer.status == 201, answer
    return str(answer.json["secret"])


async def test_of_api_keys_that_are_none_only_so_many_are_looked_for_even_all_at_once(
    house: Installation, team: Team
) -> None:
    source = source_of(20)
    known, new = _of(house, await _key(team)), _of(house, await _key(team))
    assert await _members(known, team, source) == "200"
    keys = [_of(house, new_key("service", "live").reveal()) for _ in range(REFUSED_CREDENTIALS + 20)]
    codes = await asyncio.gather(*(_members(key, team, source) for key in keys))
    assert codes.count("invalid_api_key") == REFUSED_CREDENTIALS
    assert codes.count("rate_limited") == 20
    # one that this process has met goes on; one that it has not is not looked for, from there
    assert await _members(known, team, source) == "200"
    assert await _members(new, team, source) == "rate_limited"
    assert await _members(new, team, source_of(21)) == "200"
    assert await _members(new, team, source) == "200"


async def test_a_good_api_key_takes_no_turn_of_those_that_are_none(house: Installation, team: Team) -> None:
    source = source_of(22)
    assert await _members(_of(house, await _key(team)), team, source) == "200"
    for number in range(REFUSED_CREDENTIALS):
        assert await _junk(house.client, source, number) == "unauthenticated"
    assert await _junk(house.client, source, 0) == "rate_limited"


async def test_a_program_may_begin_with_many_requests_at_once(busy: Installation) -> None:
    team = await busy.team()
    key = _of(busy, await _key(team))
    codes = await asyncio.gather(*(_members(key, team, source_of(26)) for _ in range(REFUSED_CREDENTIALS + 20)))
    assert set(codes) == {"200"}
    assert busy.runtime.rates.proving == set()


async def test_many_at_once_with_one_key_that_is_none_count_each(busy: Installation) -> None:
    team = await busy.team()
    key = _of(busy, new_key("service", "live").reveal())
    codes = await asyncio.gather(*(_members(key, team, source_of(27)) for _ in range(REFUSED_CREDENTIALS + 20)))
    assert codes.count("rate_limited") == 20
    assert busy.runtime.rates.proving == set()


async def test_a_good_api_key_that_its_organization_refuses_takes_none_either(house: Installation, team: Team) -> None:
    source, key = source_of(25), _of(house, await _key(team))
    other = (await team.stranger.post("/v1/orgs", {"name": "Other"})).json["id"]
    for _ in range(3):
        answer = await key.get(f"/v1/orgs/{other}/members", headers={"x-forwarded-for": source})
        assert answer.code == "not_found"
    given = {"name": "Elsewhere", "scopes": ["members:read"], "addresses": ["192.0.2.0/24"]}
    elsewhere = (await team.admin.post(f"{team.path}/api-keys", given)).json["secret"]
    assert await _members(_of(house, elsewhere), team, source) == "address_refused"
    answer = await house.client.get(
        "/v1/users/me", headers={"x-forwarded-for": source, "authorization": JUNK.format(number=0)}
    )
    assert left(answer)["credentials"] == REFUSED_CREDENTIALS - 1


async def test_what_does_not_even_look_like_an_api_key_counts_too(house: Installation, team: Team) -> None:
    source = source_of(23)
    codes = [await _members(_of(house, "tnt_service_live_x"), team, source) for _ in range(REFUSED_CREDENTIALS + 1)]
    assert codes == ["invalid_api_key"] * REFUSED_CREDENTIALS + ["rate_limited"]


async def test_a_revoked_api_key_that_was_good_counts_like_any_other(house: Installation, team: Team) -> None:
    source = source_of(24)
    made = await team.owner.post(f"{team.path}/api-keys", {"name": "Old", "scopes": ["members:read"]})
    key = _of(house, made.json["secret"])
    assert await _members(key, team, source) == "200"
    assert (await team.owner.delete(f"{team.path}/api-keys/{made.json['id']}")).status in {200, 204}
    answer = await key.get(f"{team.path}/members", headers={"x-forwarded-for": source})
    assert answer.code == "invalid_api_key"
    assert left(answer)["credentials"] == REFUSED_CREDENTIALS - 1


# --- persons and organizations ---


async def test_a_person_is_one_wherever_they_ask_from_and_another_is_another(house: Installation) -> None:
    ada, bob = await house.person(), await house.person()
    answers = [await me(ada, source_of(40 + number % 9)) for number in range(PEOPLE + 5)]
    assert [limited(answer) for answer in answers] == [False] * PEOPLE + [True] * 5
    assert answers[-1].json["violated-policies"] == ["person"]
    assert not limited(await me(bob, source_of(40)))


async def test_a_head_request_counts_as_the_get_that_it_stands_for(house: Installation) -> None:
    ada = await house.person()
    for _ in range(PEOPLE):
        answer = await ada.request("HEAD", "/v1/users/me", headers={"x-forwarded-for": source_of(50)})
        assert answer.status == 200
    assert limited(await me(ada, source_of(50)))


async def test_members_share_their_organizations_turns_and_what_it_refuses_costs_nobody(house: Installation) -> None:
    team = await house.team()
    path, place = f"{team.path}/members", {"x-forwarded-for": source_of(60)}
    for number in range(PEOPLE):
        asks = (team.owner, team.admin, team.member)[number % 3]
        assert (await asks.get(path, headers=place)).status == 200
    before = left(await me(team.owner, source_of(60)))["person"]
    for _ in range(3):
        refused = await team.owner.get(path, headers=place)
        assert limited(refused)
        assert refused.json["violated-policies"] == ["org"]
    assert left(await me(team.owner, source_of(60)))["person"] == before - 1


async def test_a_stranger_cannot_spend_an_organizations_turns(house: Installation) -> None:
    team = await house.team()
    for _ in range(PEOPLE - 1):
        answer = await team.stranger.get(f"{team.path}/members", headers={"x-forwarded-for": source_of(61)})
        assert answer.status == 404
        assert "org" not in left(answer)
    answer = await team.owner.get(f"{team.path}/members", headers={"x-forwarded-for": source_of(61)})
    assert left(answer)["org"] == PEOPLE - 1


async def test_an_api_key_has_turns_of_its_own_and_spends_those_of_its_organization(house: Installation) -> None:
    team = await house.team()
    key = _of(house, await _key(team))
    answer = await key.get(f"{team.path}/members", headers={"x-forwarded-for": source_of(62)})
    # one of the organization's went into making the key
    assert left(answer) == {"org": PEOPLE - 2, "key": PEOPLE - 1, "source": 999}
    assert "person" not in left(answer)


async def test_an_api_key_counts_once_whichever_of_its_secrets_is_shown(busy: Installation) -> None:
    team = await busy.team()
    made = await team.owner.post(f"{team.path}/api-keys", {"name": "Report", "scopes": ["members:read"]})
    rotated = await team.owner.post(f"{team.path}/api-keys/{made.json['id']}/rotation")
    old, new = _of(busy, made.json["secret"]), _of(busy, rotated.json["secret"])
    # the first with each finds out which key it is
    spent = [left(await one.get(f"{team.path}/members"))["key"] for one in (old, old, new, new, old)]
    assert spent == [999, 999, 999, 998, 997]


async def test_what_changes_something_in_an_organization_counts_as_what_reads(house: Installation) -> None:
    team = await house.team()
    answer = await team.owner.patch(
        team.path, {"name": "Acme Ltd"}, headers={"if-match": "*", "x-forwarded-for": source_of(63)}
    )
    assert left(answer)["org"] == PEOPLE - 1


# --- what answers say ---


async def test_every_answer_says_what_is_left_the_tightest_first(house: Installation) -> None:
    team = await house.team()
    place = {"x-forwarded-for": source_of(70)}
    answers = [
        await team.owner.get(f"{team.path}/members", headers=place),
        await team.owner.get(f"{team.path}/members", headers=place | {"accept": "text/html"}),
        await team.owner.get("/v1/nothing", headers=place),
        await team.owner.post("/v1/orgs", {"nonsense": 1}, headers=place),
    ]
    for answer in answers:
        counts = left(answer)
        assert list(counts.values()) == sorted(counts.values())
        policies = items(answer.headers["ratelimit-policy"])
        assert list(policies) == list(counts)
        assert policies["source"] == {"q": 1000, "w": 60}
    assert list(left(answers[0])) == ["person", "org", "source"]
    assert list(left(answers[2])) == ["source"]


async def test_pages_for_browsers_count_and_say_so(house: Installation) -> None:
    answer = await house.client.get("/account/login", headers={"x-forwarded-for": source_of(71)})
    assert answer.status == 200
    assert left(answer) == {"source": 999}


# --- where nothing is counted ---


async def test_where_counting_is_off_nothing_is_counted_or_said(
    database_url: str, tmp_path: Path, registry: Registry
) -> None:
    environ = {"TENANTRY_SOURCE_RATE": "1", "TENANTRY_API_RATE": "1"}
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as house:
        ada = await house.person()
        for _ in range(3):
            answer = await ada.get("/v1/users/me")
            assert answer.status == 200
            assert "ratelimit" not in answer.headers


async def test_on_a_developers_own_machine_only_others_are_counted(
    database_url: str, tmp_path: Path, registry: Registry
) -> None:
    environ = {"TENANTRY_RATE_LIMITS": "remote", "TENANTRY_SOURCE_RATE": "3", "TENANTRY_API_RATE": "2"} | PROXIED
    async with installed(database_url, tmp_path, registry=registry, environ=environ) as house:
        team = await house.team()
        for _ in range(5):
            answer = await team.owner.get(f"{team.path}/members", headers={"x-forwarded-for": "127.0.0.1"})
            assert answer.status == 200
            assert "ratelimit" not in answer.headers
        assert await _asked(house.client, HERE, 9) == 3


# --- the database is away ---


async def test_without_the_database_reads_go_on_under_the_processs_own_count_and_credentials_are_not_taken(
    narrow: Installation,
) -> None:
    database = narrow.runtime.database
    database.url = "postgresql://nobody@127.0.0.1:1/nowhere"
    database.pool.forget_idle()
    assert await _asked(narrow.client, HERE, 50) == SOURCES
    body = {"email": "ada@example.com", "password": "not the right one"}
    answer = await narrow.client.post("/v1/auth/login", body, headers={"x-forwarded-for": THERE})
    assert (answer.status, answer.code) == (503, "database_unavailable")


# --- what asks Stripe is counted exactly ---


def test_whatever_asks_stripe_is_counted_exactly(registry: Registry) -> None:
    asking = {
        f"{route.method} {route.path.rpartition('/billing')[2]}"
        for route in (*registry.routes, *registry.page_routes)
        if any(limit.name == "billing_source" and limit.times == 30 for limit in route.limits)
    }
    assert asking == {
        "POST /checkout",
        "POST /portal",
        "POST /preview",
        "PATCH /subscription",
        "PUT /seats",
        "POST /cancellation",
        "DELETE /cancellation",
        "POST /decision",
        "GET /change",
        "POST /change",
        "POST /cancel",
    }
    assert all(RateLimited in route.problems for route in registry.routes if route.limits)


# --- what costs more ---


class Report(Wire):
    """What took long to find."""

    found: int


costly = Routes("costly")


@costly.get("/orgs/{org}/report", requires=ORG_READ, cost=10, answer_example={"found": 1})
async def read_report(work: OrgWork) -> Report:
    """Find something that takes long to find."""
    return Report(found=1)


@costly.post("/orgs/{org}/report", requires=ORG_READ, example={"found": 1}, answer_example={"found": 1})
async def order_report(call: Call, body: Report) -> Report:
    """Have something found elsewhere."""
    return body


async def test_an_exchange_that_is_answered_again_counts_once(database_url: str, tmp_path: Path) -> None:
    registry = Registry((*DOMAINS, Domain(name="costly", needs=("orgs",), routes=costly)))
    async with counting(database_url, tmp_path, registry, API_RATE=str(PEOPLE)) as house:
        owner = await house.person()
        org = (await owner.post("/v1/orgs", {"name": "Acme"})).json["id"]
        headers = {"idempotency-key": "once"}
        answers = [await owner.post(f"/v1/orgs/{org}/report", {"found": 2}, headers=headers) for _ in range(2)]
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true"]
    for answer, turns in zip(answers, (1, 2), strict=True):
        assert answer.headers["ratelimit"].count('"org"') == 1
        assert left(answer)["org"] in {PEOPLE - turns, PEOPLE - turns + 1}


async def test_what_costs_more_takes_more_turns_of_the_person_and_the_organization(
    database_url: str, tmp_path: Path
) -> None:
    registry = Registry((*DOMAINS, Domain(name="costly", needs=("orgs",), routes=costly)))
    async with counting(database_url, tmp_path, registry, API_RATE=str(PEOPLE)) as house:
        team = await house.team()
        path = f"{team.path}/report"
        answers = [await team.member.get(path, headers={"x-forwarded-for": HERE}) for _ in range(3)]
        cheap = await team.member.get(f"{team.path}/members", headers={"x-forwarded-for": HERE})
    assert [limited(answer) for answer in answers] == [False, False, True]
    assert left(answers[1])["org"] in {5, 6}
    assert left(answers[1])["source"] >= 1198
    assert answers[2].json["violated-policies"] == ["person"]
    assert cheap.status == 200
