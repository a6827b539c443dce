"""Rate limits: one row for each key that has spent turns, holding the moment at which it has them all back."""

from alembic import op

revision, down_revision = "0004", "0003"

# Unlogged: a turn costs no write-ahead log, and a server that crashed forgets the turns spent, nothing else.
# No index on full_at: a turn's update then stays on its page, and the sweep reads the few pages there are.
LIMITS = """
create unlogged table tenantry.limits (
    key     text        not null constraint limits_key primary key,
    full_at timestamptz not null
) with (fillfactor = 70);
comment on table tenantry.limits is 'turns spent; a row whose moment has passed says nothing and is swept';
comment on column tenantry.limits.key is 'a keyed digest, so that the table names neither an address nor a source';

alter table tenantry.limits enable row level security;
alter table tenantry.limits force row level security;
create policy house on tenantry.limits to tenantry_system using (true);
grant select, insert, update, delete on tenantry.limits to tenantry_system;
"""


def upgrade() -> None:
    op.execute(LIMITS)
