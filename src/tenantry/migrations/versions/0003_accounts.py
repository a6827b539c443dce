"""People: users, credentials, sessions, pending registrations, and the gate that lets a session in."""

from alembic import op

revision, down_revision = "0003", "0002"

USERS = """
create table tenantry.users (
    id          uuid        not null constraint users_key primary key,
    email       text        not null,
    email_key   text        not null constraint one_user_per_address unique,
    name        text        not null,
    locale      text        not null default 'en',
    timezone    text        not null default 'UTC',
    version     integer     not null default 1,
    created_at  timestamptz not null default tenantry.now(),
    updated_at  timestamptz not null default tenantry.now(),
    disabled_at timestamptz,
    closed_at   timestamptz
);
comment on table tenantry.users is 'people with an account';
comment on column tenantry.users.email_key is 'the address as it is compared; taken until the person is purged';

create table tenantry.credentials (
    user_id       uuid        not null constraint credentials_key primary key
                              constraint credential_of_user references tenantry.users on delete cascade,
    password_hash text        not null,
    changed_at    timestamptz not null default tenantry.now()
);
comment on table tenantry.credentials is 'how a person proves to be that person';
"""

SESSIONS = """
create table tenantry.sessions (
    id           uuid        not null constraint sessions_key primary key,
    user_id      uuid        not null constraint session_of_user references tenantry.users on delete cascade,
    counter      bigint      not null default 0,
    rotated_at   timestamptz not null default tenantry.now(),
    created_at   timestamptz not null default tenantry.now(),
    expires_at   timestamptz not null,
    ended_at     timestamptz,
    ended_why    text constraint known_end check (ended_why in ('logout', 'reuse', 'revoked', 'password', 'address',
                                                                'closed', 'too_many')),
    source       text        not null,
    network      text        not null,
    agent        text        not null,
    org_id       uuid,
    constraint ended_with_reason check ((ended_at is null) = (ended_why is null))
) with (fillfactor = 80);
comment on table tenantry.sessions is 'signed-in devices; the counter is the only refresh token that counts';
comment on column tenantry.sessions.network is 'the /24 or /64 of the source: how, with the agent, a device is known';
comment on column tenantry.sessions.org_id is 'the only organization that its next access tokens open; null for all';
create index sessions_of_user on tenantry.sessions (user_id);
create index sessions_in_org on tenantry.sessions (org_id, user_id) where org_id is not null;
-- neither changes at a refresh, so that one stays on its page
create index sessions_by_end on tenantry.sessions (least(ended_at, expires_at));
"""

REGISTRATIONS = """
create table tenantry.registrations (
    id            uuid        not null constraint registrations_key primary key,
    email         text        not null,
    email_key     text        not null,
    name          text        not null,
    password_hash text        not null,
    created_at    timestamptz not null default tenantry.now(),
    expires_at    timestamptz not null
);
comment on table tenantry.registrations is 'asked to join, address not yet proven; redeeming one removes the others';
create index registrations_of_address on tenantry.registrations (email_key, created_at);
create index registrations_by_expiry on tenantry.registrations (expires_at);

create table tenantry.registration_mails (
    id        uuid        not null constraint registration_mails_key primary key,
    email_key text        not null,
    sent_at   timestamptz not null default tenantry.now()
);
comment on table tenantry.registration_mails is 'mails about registrations, counted so that no address is flooded';
create index registration_mails_of_address on tenantry.registration_mails (email_key, sent_at);
"""

WALLS = """
alter table tenantry.users enable row level security;
alter table tenantry.users force row level security;
create policy oneself on tenantry.users to tenantry_app
    using (id = (select tenantry.person()));
create policy house on tenantry.users to tenantry_system using (true);
grant select on tenantry.users to tenantry_app;
grant update (name, locale, timezone, version, updated_at) on tenantry.users to tenantry_app;
grant select, insert, update, delete on tenantry.users to tenantry_system;

alter table tenantry.credentials enable row level security;
alter table tenantry.credentials force row level security;
create policy house on tenantry.credentials to tenantry_system using (true);
grant select, insert, update, delete on tenantry.credentials to tenantry_system;

alter table tenantry.sessions enable row level security;
alter table tenantry.sessions force row level security;
create policy oneself on tenantry.sessions for select to tenantry_app
    using (user_id = (select tenantry.person()));
-- a person uses or ends what is live and no more: what has ended stays as it is
create policy living on tenantry.sessions for update to tenantry_app
    using (user_id = (select tenantry.person()) and ended_at is null)
    with check (user_id = (select tenantry.person()));
create policy house on tenantry.sessions to tenantry_system using (true);
grant select, update (rotated_at, ended_at, ended_why, org_id) on tenantry.sessions to tenantry_app;
grant select, insert, update, delete on tenantry.sessions to tenantry_system;

alter table tenantry.registrations enable row level security;
alter table tenantry.registrations force row level security;
create policy house on tenantry.registrations to tenantry_system using (true);
grant select, insert, update, delete on tenantry.registrations to tenantry_system;

alter table tenantry.registration_mails enable row level security;
alter table tenantry.registration_mails force row level security;
create policy house on tenantry.registration_mails to tenantry_system using (true);
grant select, insert, delete on tenantry.registration_mails to tenantry_system;
"""

GATE = """
create function tenantry.enter(who uuid, visit uuid, even_closed boolean default false) returns void
    language plpgsql volatile parallel unsafe as $$
declare
    closed boolean;
begin
    perform set_config('tenantry.person', who::text, true);
    select users.closed_at is not null
      into closed
      from tenantry.sessions
      join tenantry.users on users.id = sessions.user_id
     where sessions.id = visit
       and sessions.user_id = who
       and sessions.ended_at is null
       and sessions.expires_at > tenantry.now()
       and users.disabled_at is null;
    if not found then
        raise exception 'this session has ended' using errcode = 'TN401';
    end if;
    if closed and not even_closed then
        raise exception 'this account is closed' using errcode = 'TN403';
    end if;
end
$$;
comment on function tenantry.enter(uuid, uuid, boolean) is
    'opens a person''s context for a live session; for what is open to them, also while their account is closed';
"""


def upgrade() -> None:
    for part in (USERS, SESSIONS, REGISTRATIONS, WALLS, GATE):
        op.execute(part)
