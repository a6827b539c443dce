"""What the database holds of a tenant: which rows are its own or its people's, and whether they are as they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from tenantry.testing.installation import Installation

# of whom a row is, by the name of a column; the tables of tenants and of people name themselves
OF_ORG, OF_PERSON = ("org_id",), ("user_id", "person_id")
TABLES = """
    select format('%I.%I', nspname, relname) as place, relname as name, array_agg(attname::text) as columns
      from pg_class
      join pg_namespace on pg_namespace.oid = relnamespace
      join pg_attribute on attrelid = pg_class.oid
     where nspname = any ($1)
       and relkind in ('r', 'p')
       and not relispartition
       and attnum > 0
       and not attisdropped
     group by nspname, relname
     order by nspname, relname
"""
# what somebody is denied in their own organization, or reads there, is written down in it: nobody else changed that
NOT_COUNTED = {
    "audit_log": "one.merge_key is null",
    "details": "one.row_id not in (select id from tenantry.audit_log where merge_key is not null)",
}
SUM = "select '{place}' as place, md5(coalesce(string_agg(one::text, '' order by one::text), '')) as sum from {rows}"
IDS = "select id::text from {rows}"


class Rows:
    """The rows of tenants in every table that knows tenants or people."""

    def __init__(self, installation: Installation, tables: Mapping[str, tuple[str, bool]]) -> None:
        self._installation = installation
        self._tables = tables

    @classmethod
    async def of(cls, installation: Installation) -> Rows:
        """Look which tables there are, those of plugins too."""
        schemas = ["tenantry", *(history.schema for history in installation.registry.histories.values())]
        found = await installation.rows(TABLES, schemas)
        tables = {row["place"]: (_condition(row["name"], row["columns"]), "id" in row["columns"]) for row in found}
        return cls(installation, {place: known for place, known in tables.items() if known[0]})

    async def sums(self, org: UUID, people: Iterable[UUID]) -> dict[str, str]:
        """A checksum of each table's rows of a tenant and its people."""
        each = [SUM.format(place=place, rows=self._rows(place)) for place in self._tables]
        found = await self._installation.rows(" union all ".join(each), org, list(people))
        return {row["place"]: row["sum"] for row in found}

    async def ids(self, org: UUID, people: Iterable[UUID]) -> set[UUID]:
        """The ids of all these rows."""
        each = [IDS.format(rows=self._rows(place)) for place, (_, has_id) in self._tables.items() if has_id]
        found = await self._installation.rows(" union all ".join(each), org, list(people))
        # an id that is a number tells nobody anything
        return {UUID(row["id"]) for row in found if len(row["id"]) == len(str(org))}

    def _rows(self, place: str) -> str:
        return f"{place} as one where {self._tables[place][0]}"


def _condition(name: str, columns: list[str]) -> str:
    parts = [f"one.{column} = $1" for column in columns if column in OF_ORG]
    parts += [f"one.{column} = any ($2)" for column in columns if column in OF_PERSON]
    parts += ["one.id = $1"] if name == "orgs" else []
    parts += ["one.id = any ($2)"] if name == "users" else []
    if not parts:
        return ""
    return " and ".join([f"({' or '.join(parts)})", *filter(None, [NOT_COUNTED.get(name)])])
