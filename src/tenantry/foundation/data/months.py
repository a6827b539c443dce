"""Months: the partitions of tables that only grow, made ahead and dropped when their time is over.

A table in `MONTHLY` is cut by the month of its key, has a default partition `<table>_rest` for what lies in no month,
and is kept for so many months, or for good. Making and dropping take a moment in which nobody else has the table; who
cannot get that soon lets it be, and the next upkeep comes along in hours, months before it is needed.
"""

from __future__ import annotations

from datetime import date

import msgspec

from tenantry.foundation.data.sql import Connected, value, values
from tenantry.settings import Settings


class Monthly(msgspec.Struct, frozen=True):
    """A table cut by month; `kept` is how many whole months its rows stay, None for good."""

    table: str
    kept: int | None = None


MADE_AHEAD = 3
"""Months that are made before they begin."""
USAGE_KEPT = 13
"""Months for which each event of usage is kept; what is summed up of them stays longer."""
DELIVERIES_KEPT = 4
"""Whole months for which what was told to webhooks is kept at most; an organization's plan says how much shorter."""
MONTHLY = (
    Monthly("events"),
    Monthly("audit_log"),
    Monthly("usage_events", USAGE_KEPT),
    Monthly("webhook_messages", DELIVERIES_KEPT),
    Monthly("webhook_deliveries", DELIVERIES_KEPT),
    Monthly("webhook_attempts", DELIVERIES_KEPT),
)


def monthly(settings: Settings) -> tuple[Monthly, ...]:
    """Every table that is cut by month, kept as long as the settings say where they say it."""
    return (
        *MONTHLY,
        Monthly("job_reports", settings.job_reports_months),
        Monthly("dead_letters", settings.dead_letters_months),
    )


# counted from the month that it is, in UTC
month_ahead = value(
    date,
    """
    select (date_trunc('month', tenantry.now() at time zone 'UTC') + :ahead::integer * interval '1 month')::date
    """,
)

make = value(bool, "select tenantry.make_month(:table, :month::date)")
drop = value(bool, "select tenantry.drop_month(:table, :month::date)")

there = values(
    date,
    """
    select make_date(substr(relname, length(:table::text) + 3, 4)::integer, right(relname, 2)::integer, 1) as month
      from pg_inherits
      join pg_class on pg_class.oid = inhrelid
     where inhparent = to_regclass('tenantry.' || quote_ident(:table::text))
       and relname ~ '_y[0-9]{4}m[0-9]{2}$'
     order by month
    """,
    not_null=("month",),
)


async def to_make(work: Connected, one: Monthly) -> list[date]:
    """The months that this table lacks: this one and those ahead."""
    known = set(await there(work, table=one.table))
    wanted = [await month_ahead(work, ahead=ahead) for ahead in range(MADE_AHEAD + 1)]
    return [month for month in wanted if month is not None and month not in known]


async def to_drop(work: Connected, one: Monthly) -> list[date]:
    """The months of this table that are past their time."""
    if one.kept is None:
        return []
    first = await month_ahead(work, ahead=-one.kept)
    return [month for month in await there(work, table=one.table) if first is not None and month < first]
