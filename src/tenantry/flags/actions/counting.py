"""How often flags are asked for: counted in memory, and added up here by each process from time to time."""

from __future__ import annotations

from collections.abc import Sequence

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import SystemWork

# in the order of keys, as all lock them
add_evaluations = run("""
    insert into tenantry.flag_evaluations as known (flag_key, evaluations, evaluated_at)
    select flag_key, times, tenantry.now()
      from unnest(:keys::text[], :times::bigint[]) as asked (flag_key, times)
     order by flag_key
        on conflict (flag_key) do update
       set evaluations = known.evaluations + excluded.evaluations, evaluated_at = excluded.evaluated_at
""")


@action(requires=HOUSE)
async def count_evaluations(work: SystemWork, *, asked: Sequence[tuple[str, int]]) -> None:
    """Add how often each flag was asked for since it was told last."""
    await add_evaluations(work, keys=[key for key, _ in asked], times=[times for _, times in asked])
