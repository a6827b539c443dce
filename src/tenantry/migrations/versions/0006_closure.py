"""Closing: when a closed account is purged, and what a person has exported."""

from alembic import op

revision, down_revision = "0006", "0005"

# The check holds for every row there is: nobody could close an account before this revision.
CLOSURE = """
alter table tenantry.users add column purge_at timestamptz;
alter table tenantry.users add constraint closed_until_purged
    check ((closed_at is null) = (purge_at is null)) not valid;
comment on column tenantry.users.closed_at is 'when the person closed the account; until purge_at they may reopen it';
comment on column tenantry.users.purge_at is 'when a closed account is purged: every table forgets the person';
"""

EXPORTS = """
create table tenantry.exports (
    id         uuid        not null constraint exports_key primary key,
    user_id    uuid        not null constraint export_of_user references tenantry.users on delete cascade,
    asked_at   timestamptz not null default tenantry.now(),
    expires_at timestamptz,
    used_at    timestamptz,
    sealed     bytea,
    constraint sealed_until_used check ((sealed is not null) = (expires_at is not null and used_at is null))
);
comment on table tenantry.exports is 'what the house holds about a person, gathered for them to take away once';
comment on column tenantry.exports.expires_at is 'when the mailed link ends; null while the export is being gathered';
create index exports_of_user on tenantry.exports (user_id, asked_at);

alter table tenantry.exports enable row level security;
alter table tenantry.exports force row level security;
create policy oneself on tenantry.exports to tenantry_app
    using (user_id = (select tenantry.person()));
create policy house on tenantry.exports to tenantry_system using (true);
grant select, insert (id, user_id), update (used_at, sealed) on tenantry.exports to tenantry_app;
grant select, insert, update, delete on tenantry.exports to tenantry_system;
"""


def upgrade() -> None:
    for part in (CLOSURE, EXPORTS):
        op.execute(part)
