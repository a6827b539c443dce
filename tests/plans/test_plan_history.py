"""What an organization's plan was at any instant comes back from its events alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg
import pytest
from plan_kit import found, give, house_work, selling, uuid_of

from tenantry.foundation.domain import Registry
from tenantry.foundation.events.folding import fold
from tenantry.plans import actions, history
from tenantry.testing import Databases, Installation


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation with a plan file."""
    async with (
        databases.fresh() as url,
        selling(url, tmp_path_factory.mktemp("history"), registry) as running,
    ):
        yield running


async def test_every_column_of_the_tables_of_plans_comes_back_or_is_named(house: Installation) -> None:
    owner = await asyncpg.connect(house.runtime.database.url)
    assert {one.table for one in history.FOLDS} == set(actions.TABLES)
    for one in history.FOLDS:
        found_columns = await owner.fetch(
            "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped",
            f"tenantry.{one.table}",
        )
        assert {row["attname"] for row in found_columns} == {*one.row.__struct_fields__, *one.left_out}
    await owner.close()


async def test_plans_and_values_are_folded_as_they_stood(house: Installation) -> None:
    _, org = await found(house)
    instants: list[tuple[datetime, dict[str, Any]]] = []

    async def step(name: str, **rest: Any) -> None:
        async with house_work(house) as work:
            await getattr(actions, name)(work, org_id=uuid_of(org), **rest)
        [row] = await house.rows("select clock_timestamp() as now")
        instants.append((row["now"], await _rows(house, org)))

    await give(house, org, "pro", version=1)
    await step("give_plan", plan="pro", source="grant", seats=7)
    await step("give_plan", plan="all", source="grant")
    await step("give_override", feature_key="seats", value=9, reason="asked")
    await step("give_override", feature_key="seats", value=1, reason="more", source="add_on")
    await step("end_plan", source="grant")
    await step("lift_override", feature_key="seats")
    for instant, rows in instants:
        async with house_work(house) as work:
            folded = await fold(work, house.registry.folds, org_id=uuid_of(org), at=instant)
        assert {table: _plain(folded[table]) for table in rows} == rows


async def _rows(house: Installation, org: str) -> dict[str, Any]:
    return {
        one.table: sorted(
            [
                {column: row[column] for column in one.row.__struct_fields__}
                for row in await house.rows(f"select * from tenantry.{one.table} where org_id = $1", uuid_of(org))
            ],
            key=str,
        )
        for one in history.FOLDS
    }


def _plain(rows: Any) -> list[dict[str, Any]]:
    return sorted(({column: getattr(row, column) for column in row.__struct_fields__} for row in rows), key=str)
