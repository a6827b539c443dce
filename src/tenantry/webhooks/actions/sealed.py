"""What webhooks keep sealed, so that `secrets reseal` finds it."""

from __future__ import annotations

from tenantry.foundation.data.sql import many, run
from tenantry.foundation.security.sealed import SealedColumn, SealedValue

sealed_secrets = SealedColumn(
    table="webhook_secrets",
    column="sealed_secret",
    batch=many(
        SealedValue,
        """
        select id::text as row, org_id::text as org, sealed_secret as blob
          from tenantry.webhook_secrets
         where id > coalesce(nullif(:after::text, '')::uuid, '00000000-0000-0000-0000-000000000000')
         order by id
         limit :most
        """,
        not_null=("row",),
    ),
    replace=run("""
        update tenantry.webhook_secrets
           set sealed_secret = :fresh
         where id = :row::text::uuid
           and sealed_secret = :old
    """),
)
sealed_headers = SealedColumn(
    table="webhook_endpoints",
    column="sealed_headers",
    batch=many(
        SealedValue,
        """
        select id::text as row, org_id::text as org, sealed_headers as blob
          from tenantry.webhook_endpoints
         where sealed_headers is not null
           and id > coalesce(nullif(:after::text, '')::uuid, '00000000-0000-0000-0000-000000000000')
         order by id
         limit :most
        """,
        not_null=("row", "blob"),
    ),
    replace=run("""
        update tenantry.webhook_endpoints
           set sealed_headers = :fresh
         where id = :row::text::uuid
           and sealed_headers = :old
    """),
)
SEALED = (sealed_secrets, sealed_headers)
