"""Flags: their rules, and what organizations have instead."""

from alembic import op

revision, down_revision = "0022", "0021"

FLAGS = """
create table tenantry.flags (
    key             text        not null constraint flags_key primary key
                                constraint key_is_short check (char_length(key) between 1 and 64),
    kind            text        not null constraint known_kind
                                check (kind in ('boolean', 'string', 'number', 'object')),
    variants        jsonb       not null,
    default_variant text        not null,
    off_variant     text,
    rules           jsonb       not null default '[]',
    salt            text        not null default '',
    killed          boolean     not null default false,
    visible         boolean     not null default false,
    description     text        not null default '',
    team            text,
    expires_at      timestamptz,
    same_since      timestamptz,
    version         integer     not null default 1,
    created_at      timestamptz not null default tenantry.now(),
    updated_at      timestamptz not null default tenantry.now()
);
comment on table tenantry.flags is 'what is switched on for whom, the same for the whole house';
comment on column tenantry.flags.off_variant is 'what all have while it is killed; null: what the caller falls back to';
comment on column tenantry.flags.visible is 'whether members see what it gives their organization';
comment on column tenantry.flags.same_since is 'since when everybody without an override has the same of it';

create table tenantry.flag_overrides (
    org_id     uuid        not null constraint flag_override_of_org references tenantry.orgs (id) on delete cascade,
    flag_key   text        not null constraint override_of_flag references tenantry.flags (key),
    variant    text        not null,
    reason     text        not null constraint reason_is_short check (char_length(reason) between 1 and 500),
    created_at timestamptz not null default tenantry.now(),
    updated_at timestamptz not null default tenantry.now(),
    constraint flag_overrides_key primary key (org_id, flag_key)
);
comment on table tenantry.flag_overrides is 'variants of flags that organizations have whatever the rules say';
create index overrides_of_flag on tenantry.flag_overrides (flag_key, variant);

create table tenantry.flag_evaluations (
    flag_key     text        not null constraint flag_evaluations_key primary key,
    evaluations  bigint      not null,
    evaluated_at timestamptz not null
);
comment on table tenantry.flag_evaluations is 'how often flags were asked for, told once a minute by each process';

create table tenantry.flags_version (
    only_one   boolean     not null default true constraint flags_version_key primary key
                           constraint there_is_one check (only_one),
    version    bigint      not null,
    changed_at timestamptz not null default tenantry.now()
);
comment on table tenantry.flags_version is 'grows in each commit that changes a flag or override; processes watch it';
-- before the wall is up, which binds the owner too
insert into tenantry.flags_version (version) values (0);

alter table tenantry.flags enable row level security;
alter table tenantry.flags force row level security;
alter table tenantry.flag_overrides enable row level security;
alter table tenantry.flag_overrides force row level security;
alter table tenantry.flag_evaluations enable row level security;
alter table tenantry.flag_evaluations force row level security;
alter table tenantry.flags_version enable row level security;
alter table tenantry.flags_version force row level security;
create policy house on tenantry.flags to tenantry_system using (true);
create policy house on tenantry.flag_overrides to tenantry_system using (true);
create policy house on tenantry.flag_evaluations to tenantry_system using (true);
create policy house on tenantry.flags_version to tenantry_system using (true);
grant select, insert, update, delete on tenantry.flags, tenantry.flag_overrides, tenantry.flag_evaluations
   to tenantry_system;
grant select, update on tenantry.flags_version to tenantry_system;
"""


def upgrade() -> None:
    op.execute(FLAGS)
