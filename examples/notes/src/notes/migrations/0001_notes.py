"""Notes and their hashtags."""

from alembic import op

revision, down_revision = "0001", None

NOTES = """
create table notes.notes (
    org_id     uuid        not null constraint note_of_org references tenantry.orgs on delete cascade,
    id         uuid        not null,
    author_id  uuid        constraint note_of_author references tenantry.users on delete set null,
    text       text        not null,
    shared     boolean     not null default false,
    created_at timestamptz not null default tenantry.now(),
    words      tsvector    not null generated always as (to_tsvector('simple', text)) stored,
    constraint notes_key primary key (org_id, id)
);
create index notes_by_age on notes.notes (org_id, created_at desc, id desc);

create table notes.tags (
    org_id  uuid not null,
    note_id uuid not null,
    tag     text not null,
    constraint tags_key primary key (org_id, note_id, tag),
    constraint tag_of_note foreign key (org_id, note_id) references notes.notes on delete cascade
);
"""

WALLS = """
alter table notes.{table} enable row level security;
alter table notes.{table} force row level security;
create policy in_org on notes.{table} to tenantry_app using (org_id = (select tenantry.org()));
create policy house on notes.{table} to tenantry_system using (true);
grant select, insert, update, delete on notes.{table} to tenantry_app, tenantry_system;
"""


def upgrade() -> None:
    op.execute(NOTES)
    for table in ("notes", "tags"):
        op.execute(WALLS.format(table=table))
