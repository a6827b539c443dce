"""What accounts keeps sealed, so that `secrets reseal` finds it."""

from __future__ import annotations

from tenantry.foundation.data.sql import many, run
from tenantry.foundation.security.sealed import SealedColumn, SealedValue

# a few at a time: each holds all that there is about a person
sealed_exports = SealedColumn(
    table="exports",
    column="sealed",
    at_once=5,
    batch=many(
        SealedValue,
        """
        select id::text as row, null::text as org, sealed as blob
          from tenantry.exports
         where sealed is not null
           and id > coalesce(nullif(:after::text, '')::uuid, '00000000-0000-0000-0000-000000000000')
         order by id
         limit :most
        """,
        not_null=("row", "blob"),
    ),
    replace=run("""
        update tenantry.exports
           set sealed = :fresh
         where id = :row::text::uuid
           and sealed = :old
    """),
)
