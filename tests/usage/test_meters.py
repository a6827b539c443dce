"""Meters: what is used counts if and only if the commit that uses it succeeds, and once under a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import metered
import msgspec
import pytest
from metered import CALLS, FOREIGN, LETTERS, InJob, fold, founded, house_work, metering, org_uuid, raw, used, work_in

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.domain import BadDomains, Domain, Registry
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.meter import MOST_QUANTITY, BadMeter, Meter
from tenantry.foundation.work import OrgWork, SystemWork, Work
from tenantry.testing import Databases, Installation


@pytest.fixture(scope="module")
async def house(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation in which something is used."""
    async with databases.fresh() as url, metering(url, tmp_path_factory.mktemp("metered")) as running:
        yield running


async def send(owner: Any, org: str, **asked: Any) -> int:
    answer = await owner.post(f"/v1/orgs/{org}/letters", asked)
    return int(answer.status)


async def test_what_a_request_uses_is_counted_with_its_commit(house: Installation) -> None:
    owner, org = await founded(house)
    assert [await send(owner, org, quantity=7), await send(owner, org)] == [204, 204]
    assert (await raw(house, org), await used(owner, org)) == (8, 8)
    await fold(house)
    assert await used(owner, org) == 8


async def test_a_request_that_is_rolled_back_is_never_billed(house: Installation) -> None:
    owner, org = await founded(house)
    assert await send(owner, org, quantity=7, key="once", fails=True) == 409
    assert await raw(house, org) == 0
    assert await send(owner, org, quantity=7, key="once") == 204
    assert await raw(house, org) == 7


async def test_the_part_of_a_work_that_fails_alone_is_not_billed(house: Installation) -> None:
    owner, org = await founded(house)
    assert await send(owner, org, quantity=2, apart=True) == 204
    assert await raw(house, org) == 2
    assert await send(owner, org, quantity=2, key="regretted") == 204
    assert await raw(house, org) == 4


async def test_what_is_used_under_one_key_is_counted_once_however_many_do_it_at_once(house: Installation) -> None:
    owner, org = await founded(house)
    statuses = await asyncio.gather(*(send(owner, org, quantity=5, key=f"key-{n % 2}") for n in range(16)))
    assert set(statuses) == {204}
    assert await raw(house, org) == 10


async def test_a_key_counts_once_within_one_commit_and_for_each_meter_and_organization(house: Installation) -> None:
    (_, one), (_, other) = await founded(house), await founded(house)
    async with work_in(house, one) as work:
        for _ in range(3):
            work.meter(LETTERS, 1, key="same")
            work.meter(CALLS, 1, key="same")
        work.meter(LETTERS, 4, key="another")
    async with work_in(house, other) as work:
        work.meter(LETTERS, 1, key="same")
    assert [await raw(house, one), await raw(house, one, "api_calls"), await raw(house, other)] == [5, 1, 1]


@pytest.mark.parametrize("how", ["org_work", "org_step", "work"])
async def test_the_job_of_an_organization_counts_what_it_uses(house: Installation, how: str) -> None:
    _, org = await founded(house)
    call = Call(house.runtime, Actor("job", org=org_uuid(org)), "a-trial")
    async with SystemWork(call, reason="a test") as work:
        work.enqueue(NewJob("metered.send", args=msgspec.json.encode(InJob(how)).decode()))
    await house.drain_jobs()
    assert await raw(house, org) == 3


async def test_only_what_a_domain_declares_can_be_metered(house: Installation) -> None:
    _, org = await founded(house)
    with pytest.raises(TypeError, match="no domain declares the meter nobodys"):
        async with work_in(house, org) as work:
            work.meter(FOREIGN)
    with pytest.raises(TypeError, match="no domain declares"):
        async with work_in(house, org) as work:
            work.meter(Meter("letters", unit="page", sentence="Something else of the same name."))


async def test_what_is_used_is_an_organizations_and_used_by_what_changes_something(house: Installation) -> None:
    _, org = await founded(house)
    call = Call(house.runtime, Actor("job", org=org_uuid(org)), "a-trial")
    works: list[Work] = [house_work(house), SystemWork(call, reason="a test", reading=True), Work(call)]
    for work in works:
        with pytest.raises(TypeError, match="an organization's"):
            work.meter(LETTERS)
    assert OrgWork.metered


@pytest.mark.parametrize(
    ("quantity", "key"), [(-1, None), (MOST_QUANTITY + 1, None), (1, ""), (1, "k" * 256), (1, "a\0b")]
)
async def test_a_quantity_is_counted_from_nothing_to_a_bound_and_a_key_is_short(
    house: Installation, quantity: int, key: str | None
) -> None:
    _, org = await founded(house)
    with pytest.raises(ValueError, match=r"counted from 0|a key of usage"):
        async with work_in(house, org) as work:
            work.meter(LETTERS, quantity, key=key)
    async with work_in(house, org) as work:
        work.meter(LETTERS, MOST_QUANTITY)
        work.meter(LETTERS, 0, key="k" * 255)
    assert await raw(house, org) == MOST_QUANTITY


@pytest.mark.parametrize("key", ["", "Calls", "1st", "calls.", "api calls", "c" * 65])
def test_a_meter_has_a_plain_key(key: str) -> None:
    with pytest.raises(BadMeter):
        Meter(key, unit="call", sentence="Calls.")


def test_two_domains_declare_no_meter_of_the_same_key() -> None:
    twice = (Domain(name="one", meters=(LETTERS,)), Domain(name="other", meters=(LETTERS,)))
    with pytest.raises(BadDomains, match="the meter letters is declared twice"):
        Registry(twice)
    assert {meter.key for meter in metered.registry().meters} >= {"api_calls", "stored.bytes", "letters"}


async def test_the_application_appends_events_of_usage_and_neither_changes_nor_removes_them(
    house: Installation,
) -> None:
    [may] = await house.rows(
        """
        select has_table_privilege('tenantry_app', 'tenantry.usage_events', 'select') as reads,
               has_any_column_privilege('tenantry_app', 'tenantry.usage_events', 'update') as changes,
               has_table_privilege('tenantry_app', 'tenantry.usage_events', 'delete') as removes,
               has_any_column_privilege('tenantry_system', 'tenantry.usage_events', 'update') as is_changed
        """
    )
    assert tuple(may) == (True, False, False, False)
    written = await house.rows(
        """
        select attname::text as name
          from pg_attribute
         where attrelid = 'tenantry.usage_events'::regclass
           and attnum > 0
           and has_column_privilege('tenantry_app', attrelid, attnum, 'insert')
        """
    )
    assert {row["name"] for row in written} == {"org_id", "at", "meter", "quantity", "key", "request_id"}
