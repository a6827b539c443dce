"""Invites: who is asked into which organization, by whom, and what became of it."""

from alembic import op

revision, down_revision = "0008", "0007"

# Nothing refers to the persons: whoever invited may be gone, and what is left of an invite goes a month after its end.
INVITES = """
create table tenantry.invites (
    org_id     uuid        not null constraint invite_of_org references tenantry.orgs on delete cascade,
    id         uuid        not null constraint one_invite_per_link unique,
    email      text        not null,
    email_key  text        not null,
    role       text        not null constraint known_invite_role check (role in ('owner', 'admin', 'member')),
    status     text        not null default 'pending'
                           constraint known_invite_status
                           check (status in ('pending', 'accepted', 'declined', 'revoked', 'expired')),
    generation integer     not null default 0,
    muted      boolean     not null,
    invited_by uuid        not null,
    user_id    uuid,
    created_at timestamptz not null default tenantry.now(),
    expires_at timestamptz not null,
    settled_at timestamptz,
    constraint invites_key primary key (org_id, id),
    constraint invite_pending_until_settled check ((status = 'pending') = (settled_at is null)),
    constraint invite_accepted_by_somebody check (status <> 'accepted' or user_id is not null)
);
comment on table tenantry.invites is 'addresses that are asked to join an organization, and what became of that';
comment on column tenantry.invites.generation is 'which mailed link counts: the latest';
comment on column tenantry.invites.muted is 'no mail is sent: the address got too many of all organizations';
comment on column tenantry.invites.invited_by is 'who vouches for it; asked again when it is accepted';
comment on column tenantry.invites.user_id is 'who accepted it, or declined it while signed in';
create unique index one_pending_invite_per_address on tenantry.invites (org_id, email_key) where status = 'pending';
create index invites_by_age on tenantry.invites (org_id, created_at, id);
create index invites_of_address on tenantry.invites (email_key);
create index invites_of_person on tenantry.invites (user_id) where user_id is not null;
create index invites_by_expiry on tenantry.invites (expires_at) where status = 'pending';
create index invites_by_end on tenantry.invites (settled_at) where settled_at is not null;
"""

# Whom it is for belongs to no organization yet: what they see and do with it is done for them by the house.
WALLS = """
alter table tenantry.invites enable row level security;
alter table tenantry.invites force row level security;
create policy in_org on tenantry.invites to tenantry_app
    using (org_id = (select tenantry.org()));
create policy house on tenantry.invites to tenantry_system using (true);
grant select, insert (org_id, id, email, email_key, role, muted, invited_by, expires_at),
      update (email, role, status, generation, muted, invited_by, expires_at, settled_at)
   on tenantry.invites to tenantry_app;
grant select, insert, update, delete on tenantry.invites to tenantry_system;
"""

# An organization's mails are counted in the commit that asks for them. The rows are keyed digests, and tell it nothing.
TURNS = """
create policy in_org on tenantry.limits to tenantry_app
    using ((select tenantry.org()) is not null);
grant select, insert, update on tenantry.limits to tenantry_app;
"""


def upgrade() -> None:
    for part in (INVITES, WALLS, TURNS):
        op.execute(part)
