"""Closing organizations: which are due for their purge, and which are being purged."""

from alembic import op

revision, down_revision = "0009", "0008"

# Half of a purged organization cannot be opened again: who comes after the first batch is too late.
# The index is made on a table that is new in the same release.
PURGE = """
alter table tenantry.orgs add column purge_began_at timestamptz;
alter table tenantry.orgs add constraint org_purged_once_closed
    check (purge_began_at is null or purge_at is not null) not valid;
comment on column tenantry.orgs.purge_began_at is 'when its purge took its first rows; nobody reopens it since';
-- squawk-ignore require-concurrent-index-creation
create index orgs_to_purge on tenantry.orgs (purge_at) where purge_at is not null;
"""

# The log stays append-only for everything else: the house itself cannot delete what another organization did.
HISTORY = """
create policy purged_only on tenantry.events as restrictive for delete to tenantry_system
    using (org_id in (select id from tenantry.orgs where purge_began_at is not null));
grant delete on tenantry.events to tenantry_system;
"""


def upgrade() -> None:
    for part in (PURGE, HISTORY):
        op.execute(part)
