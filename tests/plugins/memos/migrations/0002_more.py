"""Room for more."""

from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    op.execute("alter table memos.memos add column more jsonb not null default '{}'")
