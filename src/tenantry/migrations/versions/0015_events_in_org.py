"""An organization's events in the order of the log, so that the last or the next few of them are found at once."""

from alembic import op

revision, down_revision = "0015", "0014"

IN_ORDER = """
-- an index of a partitioned table cannot be made concurrently
-- squawk-ignore require-concurrent-index-creation
create index events_of_org_in_order on tenantry.events (org_id, epoch, tx, id) where org_id is not null;
-- whoever reads an organization's events reads them in that order, and each index costs every event
-- squawk-ignore require-concurrent-index-deletion
drop index tenantry.events_of_org;
"""


def upgrade() -> None:
    op.execute(IN_ORDER)
