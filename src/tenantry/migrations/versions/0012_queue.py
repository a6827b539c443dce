"""The queue grown up: (to be written)."""

from alembic import op

revision, down_revision = "0012", "0011"


def upgrade() -> None:
    op.execute("select")
