"""Organizations: tenants, their names over time, their members, and the gate that lets a member in."""

from alembic import op

revision, down_revision = "0007", "0006"

ORGS = """
create table tenantry.orgs (
    id              uuid        not null constraint orgs_key primary key,
    name            text        not null,
    slug            text        not null,
    version         integer     not null default 1,
    created_at      timestamptz not null default tenantry.now(),
    updated_at      timestamptz not null default tenantry.now(),
    closed_at       timestamptz,
    purge_at        timestamptz,
    restricted_from timestamptz,
    constraint org_closed_until_purged check ((closed_at is null) = (purge_at is null))
);
comment on table tenantry.orgs is 'tenants';
comment on column tenantry.orgs.purge_at is 'when a closed organization is purged; until then its owners may reopen it';
comment on column tenantry.orgs.restricted_from is 'from then on its members change nothing in it, for it is not paid';

create table tenantry.org_slugs (
    slug     text        not null constraint one_org_per_slug primary key,
    org_id   uuid        not null constraint slug_of_org references tenantry.orgs on delete cascade,
    taken_at timestamptz not null default tenantry.now()
);
comment on table tenantry.org_slugs is 'what organizations are or were called in addresses, so that old links lead on';
create index slugs_of_org on tenantry.org_slugs (org_id, taken_at);
"""

MEMBERS = """
create table tenantry.members (
    org_id     uuid        not null constraint member_of_org references tenantry.orgs on delete cascade,
    user_id    uuid        not null constraint member_is_person references tenantry.users,
    role       text        not null constraint known_role check (role in ('owner', 'admin', 'member')),
    version    integer     not null default 1,
    joined_at  timestamptz not null default tenantry.now(),
    constraint one_membership_per_person primary key (org_id, user_id)
);
comment on table tenantry.members is 'who belongs to which organization, in which role';
create index members_by_joining on tenantry.members (org_id, joined_at, user_id);
create index memberships_of_person on tenantry.members (user_id, org_id);

-- an active organization that is left or lost is none
alter table tenantry.sessions add constraint session_in_org
    foreign key (org_id, user_id) references tenantry.members on delete set null (org_id) not valid;
"""

# The lock makes of two who leave at once one that is first: the other sees what is left. At the end of the transaction,
# so that one verb may hand the role on in either order.
OWNERS = """
create function tenantry.keep_an_owner() returns trigger
    language plpgsql as $$
begin
    perform from tenantry.orgs where id = old.org_id for no key update;
    -- an organization that is purged needs none; an owner whose account is closed is none any more
    if found and not exists (select
                               from tenantry.members
                               join tenantry.users on users.id = members.user_id
                              where org_id = old.org_id
                                and role = 'owner'
                                and users.closed_at is null) then
        raise exception 'an organization keeps an owner'
            using errcode = 'check_violation', constraint = 'an_owner_remains', table = 'members', schema = 'tenantry';
    end if;
    return null;
end
$$;
comment on function tenantry.keep_an_owner() is 'refuses to commit what leaves an organization without an owner';
create constraint trigger an_owner_remains after update of role or delete on tenantry.members
    deferrable initially deferred for each row when (old.role = 'owner') execute function tenantry.keep_an_owner();
"""

# A person outside any organization sees where they are a member; inside one, the rows of this one only. One policy that
# decides by the context, not two that are joined by "or": that would keep lists from being read in an index's order.
WALLS = """
alter table tenantry.orgs enable row level security;
alter table tenantry.orgs force row level security;
create policy seen_in_context on tenantry.orgs for select to tenantry_app
    using (case when (select tenantry.org()) is not null then id = (select tenantry.org())
                else exists (select from tenantry.members
                              where org_id = orgs.id and user_id = (select tenantry.person()) offset 0) end);
create policy made_in_org on tenantry.orgs for insert to tenantry_app
    with check (id = (select tenantry.org()));
create policy changed_in_org on tenantry.orgs for update to tenantry_app
    using (id = (select tenantry.org()));
create policy house on tenantry.orgs to tenantry_system using (true);
grant select, insert (id, name, slug), update (name, slug, version, updated_at, closed_at, purge_at)
   on tenantry.orgs to tenantry_app;
grant select, insert, update, delete on tenantry.orgs to tenantry_system;

alter table tenantry.org_slugs enable row level security;
alter table tenantry.org_slugs force row level security;
create policy seen_in_context on tenantry.org_slugs for select to tenantry_app
    using (case when (select tenantry.org()) is not null then org_id = (select tenantry.org())
                else exists (select from tenantry.members
                              where members.org_id = org_slugs.org_id
                                and user_id = (select tenantry.person()) offset 0) end);
create policy made_in_org on tenantry.org_slugs for insert to tenantry_app
    with check (org_id = (select tenantry.org()));
create policy changed_in_org on tenantry.org_slugs for update to tenantry_app
    using (org_id = (select tenantry.org()));
create policy ended_in_org on tenantry.org_slugs for delete to tenantry_app
    using (org_id = (select tenantry.org()));
create policy house on tenantry.org_slugs to tenantry_system using (true);
grant select, insert (slug, org_id), update (taken_at), delete on tenantry.org_slugs to tenantry_app;
grant select, insert, update, delete on tenantry.org_slugs to tenantry_system;

alter table tenantry.members enable row level security;
alter table tenantry.members force row level security;
create policy seen_in_context on tenantry.members for select to tenantry_app
    using (case when (select tenantry.org()) is not null then org_id = (select tenantry.org())
                else user_id = (select tenantry.person()) end);
create policy made_in_org on tenantry.members for insert to tenantry_app
    with check (org_id = (select tenantry.org()));
create policy changed_in_org on tenantry.members for update to tenantry_app
    using (org_id = (select tenantry.org()));
create policy ended_in_org on tenantry.members for delete to tenantry_app
    using (org_id = (select tenantry.org()));
create policy house on tenantry.members to tenantry_system using (true);
grant select, insert (org_id, user_id, role), update (role, version), delete on tenantry.members to tenantry_app;
grant select, insert, update, delete on tenantry.members to tenantry_system;

-- `offset 0` keeps the planner from reading all members of a large organization to look at a few of them
create policy fellows on tenantry.users for select to tenantry_app
    using (exists (select from tenantry.members
                    where members.org_id = (select tenantry.org()) and members.user_id = users.id offset 0));
"""

# A caller of the simple protocol learns of an answer only how many rows it had: here, the rank of the role.
GATE = """
create function tenantry.enter_org(who uuid, visit uuid, place uuid, even_closed boolean default false,
                                   even_restricted boolean default false)
    returns setof boolean
    language plpgsql volatile parallel unsafe as $$
declare
    authority record;
begin
    perform set_config('tenantry.person', who::text, true), set_config('tenantry.org', place::text, true);
    select users.closed_at is not null as person_closed, orgs.closed_at is not null as org_closed,
           orgs.restricted_from, members.role
      into authority
      from tenantry.sessions
      join tenantry.users on users.id = sessions.user_id
      left join tenantry.members on members.org_id = place and members.user_id = who
      left join tenantry.orgs on orgs.id = members.org_id
     where sessions.id = visit
       and sessions.user_id = who
       and sessions.ended_at is null
       and sessions.expires_at > tenantry.now()
       and users.disabled_at is null;
    if not found then
        raise exception 'this session has ended' using errcode = 'TN401';
    elsif authority.person_closed then
        raise exception 'this account is closed' using errcode = 'TN403';
    elsif authority.role is null then
        raise exception 'this person is no member' using errcode = 'TN404';
    elsif authority.org_closed and not even_closed then
        raise exception 'this organization is closed' using errcode = 'TN410';
    -- the moment comes by itself: nobody has to be there to change anything then
    elsif authority.restricted_from is not null and not even_restricted
          and authority.restricted_from <= tenantry.now() then
        raise exception 'this organization is not paid' using errcode = 'TN402';
    end if;
    return query select true
                   from generate_series(1, case authority.role when 'member' then 1 when 'admin' then 2 else 3 end);
end
$$;
comment on function tenantry.enter_org(uuid, uuid, uuid, boolean, boolean) is
    'opens an organization''s context for a live session of a member; as many rows as the member''s role ranks';
"""


def upgrade() -> None:
    for part in (ORGS, MEMBERS, OWNERS, WALLS, GATE):
        op.execute(part)
