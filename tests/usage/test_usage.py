"""Usage that is reported: each once, in time, all or nothing, and nobody else's to see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from metered import fold, founded, metering, org_uuid, raw, report, sums, used, work_in

from tenantry.foundation.meter import MOST_QUANTITY
from tenantry.foundation.problems import Forbidden
from tenantry.testing import Databases, Installation
from tenantry.usage import actions
from tenantry.usage.models import MOST_REPORTED, Report


@pytest.fixture(scope="module")
async def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation in which something is used."""
    async with databases.fresh() as url, metering(url, tmp_path_factory.mktemp("used")) as running:
        yield running


def calls(key: str, quantity: int = 1, **rest: Any) -> dict[str, Any]:
    return {"meter": "api_calls", "quantity": quantity, "key": key, **rest}


async def test_what_is_reported_twice_is_counted_once(house: Installation) -> None:
    owner, org = await founded(house)
    assert await report(owner, org, calls("a", 5), calls("b", 2)) == {"accepted": 2, "duplicates": 0}
    assert await report(owner, org, calls("b", 2), calls("c"), calls("c")) == {"accepted": 1, "duplicates": 2}
    assert (await raw(house, org, "api_calls"), await used(owner, org, "api_calls")) == (8, 8)


async def test_a_report_names_its_request_in_each_event_and_leaves_no_row_in_the_audit_log(house: Installation) -> None:
    owner, org = await founded(house)
    answer = await owner.post(f"/v1/orgs/{org}/usage", {"events": [calls("a", 5), calls("b")]})
    request = answer.headers["x-request-id"]
    assert len(await house.rows("select from tenantry.usage_events where request_id = $1", request)) == 2
    assert await house.rows("select from tenantry.audit_log where request_id = $1", request) == []


async def test_a_key_is_of_one_meter(house: Installation) -> None:
    owner, org = await founded(house)
    both = [calls("a", 5), {"meter": "stored.bytes", "quantity": 9, "key": "a"}]
    assert await report(owner, org, *both) == {"accepted": 2, "duplicates": 0}
    assert await report(owner, org, *both) == {"accepted": 0, "duplicates": 2}


async def test_the_same_reports_at_the_same_time_in_any_order_are_counted_once(house: Installation) -> None:
    owner, org = await founded(house)
    events = [calls(f"key-{number}", number) for number in range(200)]
    answers = await asyncio.gather(*(report(owner, org, *events[:: 1 if turn % 2 else -1]) for turn in range(8)))
    assert sum(answer["accepted"] for answer in answers) == 200
    assert sum(answer["duplicates"] for answer in answers) == 1400
    assert await raw(house, org, "api_calls") == sum(range(200))


@pytest.mark.parametrize(
    ("event", "at"),
    [
        ({"meter": "nobodys"}, "body.events[1].meter"),
        ({"meter": "letters"}, "body.events[1].meter"),
        ({"quantity": -1}, "body.events"),
        ({"quantity": MOST_QUANTITY + 1}, "body.events"),
        ({"quantity": 1.5}, "body.events"),
        ({"key": ""}, "body.events"),
        ({"key": "k" * 256}, "body.events"),
        ({"at": "2001-01-01T00:00:00Z"}, "body.events[1].at"),
        ({"at": "2999-01-01T00:00:00Z"}, "body.events[1].at"),
        ({"at": "2026-01-01T00:00:00"}, "body.events"),
    ],
)
async def test_of_reports_with_one_that_is_wrong_nothing_is_counted(
    house: Installation, event: dict[str, Any], at: str
) -> None:
    owner, org = await founded(house)
    events = [calls("right"), calls("wrong") | event]
    answer = await owner.post(f"/v1/orgs/{org}/usage", {"events": events})
    assert (answer.status, answer.code) == (422, "invalid")
    assert answer.json["errors"][0]["at"].startswith(at)
    assert await house.rows("select from tenantry.usage_events where org_id = $1", org_uuid(org)) == []
    assert await report(owner, org, calls("right")) == {"accepted": 1, "duplicates": 0}


async def test_so_many_are_reported_at_once_and_no_more(house: Installation) -> None:
    owner, org = await founded(house)
    events = [calls(f"key-{number}") for number in range(MOST_REPORTED + 1)]
    assert (await owner.post(f"/v1/orgs/{org}/usage", {"events": events})).status == 422
    assert (await owner.post(f"/v1/orgs/{org}/usage", {"events": []})).status == 422
    assert (await report(owner, org, *events[1:]))["accepted"] == MOST_REPORTED


async def test_admins_report_and_members_see_what_was_used_and_no_stranger_does(house: Installation) -> None:
    team = await house.team()
    body = {"events": [calls("a", 5)]}
    asked = [await person.post(f"{team.path}/usage", body) for person in team.people.values()]
    assert [answer.status for answer in asked] == [200, 200, 403, 404]
    seen = [await person.get(f"{team.path}/usage") for person in team.people.values()]
    assert [answer.status for answer in seen] == [200, 200, 200, 404]
    _, other = await founded(house)
    assert await raw(house, other, "api_calls") == 0


async def test_usage_is_reported_with_the_right_to_and_not_by_the_house(house: Installation) -> None:
    _, org = await founded(house)
    with pytest.raises(Forbidden):
        async with work_in(house, org) as work:
            await actions.report_usage(work, reports=[Report("api_calls", 1, "a")])


async def test_what_another_organization_uses_is_in_no_answer(house: Installation) -> None:
    (one, own), (two, other) = await founded(house), await founded(house)
    await report(one, own, calls("a", 5))
    await report(two, other, calls("a", 70))
    assert [await used(one, own, "api_calls"), await used(two, other, "api_calls")] == [5, 70]
    await fold(house)
    for by in ("minute", "hour", "day", "period"):
        span = {} if by == "period" else last_day()
        seen = [await used(*whose, "api_calls", by=by, **span) for whose in ((one, own), (two, other))]
        assert seen == [5, 70]


def last_day() -> dict[str, str]:
    now = datetime.now(UTC) + timedelta(minutes=1)
    return {"since": (now - timedelta(days=1)).isoformat(), "until": now.isoformat()}


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("meter=nobodys", "query.meter"),
        ("by=year", "query.by"),
        ("from=2026-02-01T00:00:00Z&to=2026-02-01T00:00:00Z", "query.to"),
        ("by=minute&from=2026-02-01T00:00:00Z&to=2026-02-03T00:00:00Z", "query.from"),
        ("by=hour&from=2026-02-01T00:00:00Z&to=2027-02-03T00:00:00Z", "query.from"),
        ("by=day&from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z", "query.from"),
        ("by=day&from=9999-12-31T00:00:00Z&to=9999-12-31T23:59:59Z", "query.to"),
    ],
)
async def test_what_cannot_be_answered_is_said(house: Installation, query: str, at: str) -> None:
    owner, org = await founded(house)
    answer = await owner.get(f"/v1/orgs/{org}/usage?{query}")
    assert (answer.status, answer.code) == (422, "invalid")
    assert [error["at"] for error in answer.json["errors"]] == [at]


async def test_an_answer_says_the_unit_and_the_whole_bucket(house: Installation) -> None:
    owner, org = await founded(house)
    await report(owner, org, calls("a", 5))
    [one] = await sums(owner, org)
    assert (one["meter"], one["unit"], one["quantity"]) == ("api_calls", "call", 5)
    assert one["start"].endswith("-01T00:00:00Z")
    assert one["end"].endswith("-01T00:00:00Z")
