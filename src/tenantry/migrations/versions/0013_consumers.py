"""Consumers of the event log: (to be written)."""

from alembic import op

revision, down_revision = "0013", "0012"


def upgrade() -> None:
    op.execute("select")
