"""What is asked for is counted, and flags that have outlived their use are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flag_kit import act, defined, flags_as, house_work, put, uuid_of

from patience import until
from tenantry.flags import actions, queries
from tenantry.flags.cli.showing import IDLE
from tenantry.flags.exchanges import flags_kept, keeping
from tenantry.foundation.domain import Registry
from tenantry.testing import HandClock, Installation
from tenantry.testing.installation import installed

ON = [{"variant": "on"}]


@pytest.fixture
async def aged(database_url: str, registry: Registry, tmp_path: Path, clock: HandClock) -> AsyncIterator[Installation]:
    """An installation that follows the clock set by hand."""
    async with installed(database_url, tmp_path, registry=registry, environ=clock.environ) as running:
        yield running


async def worn(house: Installation) -> dict[str, list[str]]:
    async with house_work(house) as work:
        return {one.key: one.reasons for one in await queries.worn(work, idle=IDLE)}


async def ask(house: Installation, *keys: str) -> None:
    """Let flags have been asked for."""
    async with house_work(house) as work:
        await actions.count_evaluations(work, asked=[(key, 1) for key in keys])


async def test_flags_that_outlived_their_use_are_told_with_the_reason(aged: Installation, clock: HandClock) -> None:
    team = await aged.team()
    now = datetime.fromisoformat((await aged.rows("select tenantry.now() as now"))[0]["now"].isoformat())
    some = [{"variant": "on", "when": [{"about": "role", "values": ["owner"]}]}]
    full = [{"split": [{"variant": "on", "weight": 100_000}]}]
    part = [{"split": [{"variant": "on", "weight": 99_999}]}]
    for key, rest in {
        "all_on": {"rules": full}, "some": {"rules": some}, "part": {"rules": part}, "elsewhere": {}, "plain": {},
        "ends": {"rules": some, "expires": now + timedelta(days=40)},
    }.items():  # fmt: skip
        async with house_work(aged) as work:
            await actions.put_flag(work, key=key, definition=defined(**rest))
    async with house_work(aged) as work:
        await actions.override_flag(work, org_id=uuid_of(team.org), key="elsewhere", variant="on", reason="asked")
    assert await worn(aged) == {}
    clock.advance(days=29)
    await ask(aged, "all_on", "some", "part", "ends", "elsewhere", "plain")
    # a change that leaves it the same does not make it young again
    async with house_work(aged) as work:
        await actions.put_flag(work, key="plain", definition=defined(description="as before"))
    clock.advance(days=2)
    assert await worn(aged) == {"all_on": ["always the same"], "plain": ["always the same"]}
    async with house_work(aged) as work:
        await actions.put_flag(work, key="all_on", definition=defined(rules=part))
    assert await worn(aged) == {"plain": ["always the same"]}
    clock.advance(days=10)
    assert await worn(aged) == {"ends": ["expired"], "plain": ["always the same"]}
    clock.advance(days=20)
    await ask(aged, "some")
    assert await worn(aged) == {
        "all_on": ["not asked for"],
        "elsewhere": ["not asked for"],
        "ends": ["expired", "not asked for"],
        "part": ["not asked for"],
        "plain": ["always the same", "not asked for"],
    }


async def test_what_is_asked_is_counted_and_told_in_one_write(house: Installation) -> None:
    team = await house.team()
    await put(house, "counted", rules=ON)
    await put(house, "needing", rules=[{"variant": "on", "needs": {"counted": ["on"]}}])
    kept = flags_kept(house.runtime)
    await kept.tell()
    flags = await flags_as(house, team.owner, team.org)
    for _ in range(5):
        flags.is_on("counted")
    flags.is_on("needing")
    flags.is_on("unknown")
    # a new snapshot forgets nothing
    await put(house, "counted", description="again")
    (await flags_as(house, team.owner, team.org)).is_on("counted")
    assert await told(house) == {}
    await kept.tell()
    await kept.tell()
    assert await told(house) == {"counted": 7, "needing": 1}
    flags.is_on("counted")
    await kept.tell()
    assert await told(house) == {"counted": 8, "needing": 1}
    await act(house, "remove_flag", key="needing")
    assert await told(house) == {"counted": 8}


async def told(house: Installation) -> dict[str, int]:
    rows = await house.rows(
        "select flag_key, evaluations from tenantry.flag_evaluations"
        " where flag_key in ('counted', 'needing', 'unknown')"
    )
    return {row["flag_key"]: row["evaluations"] for row in rows}


async def test_a_process_tells_now_and_then_by_itself_and_once_more_at_its_end(
    house: Installation, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(house, "by_itself", rules=ON)

    async def written() -> int:
        rows = await house.rows("select evaluations from tenantry.flag_evaluations where flag_key = 'by_itself'")
        return rows[0]["evaluations"] if rows else 0

    async with installed(house.runtime.database.url, tmp_path, registry=registry) as second:
        kept = flags_kept(second.runtime)
        await kept.first()
        kept.times["by_itself"][0] += 3
        monkeypatch.setattr(keeping, "TOLD_EVERY", 0.0)

        async def has_told() -> bool:
            return await written() == 3

        await until(has_told)
        monkeypatch.undo()
        kept.times["by_itself"][0] += 2
    assert await written() == 5
