"""API keys: the keys of an organization, their secrets, and the gate that they open."""

from alembic import op

revision, down_revision = "0018", "0017"

# Who made a key is named without a reference, as whoever invited is: what becomes of it is decided at their purge.
KEYS = """
create table tenantry.api_keys (
    org_id       uuid        not null constraint api_key_of_org references tenantry.orgs on delete cascade,
    id           uuid        not null constraint one_api_key_per_id unique,
    kind         text        not null constraint known_api_key_kind check (kind in ('personal', 'service')),
    name         text        not null,
    scopes       text[]      not null,
    addresses    text[]      not null default '{}',
    created_by   uuid        not null,
    created_at   timestamptz not null default tenantry.now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    version      integer     not null default 1,
    last_used_at timestamptz,
    at_most      text        constraint known_api_key_bound check (at_most in ('member', 'admin')),
    constraint api_keys_key primary key (org_id, id)
);
comment on table tenantry.api_keys is 'what lets programs act in an organization; a personal one ends with its person';
comment on column tenantry.api_keys.scopes is 'the names of the permissions that it holds at most';
comment on column tenantry.api_keys.addresses is 'networks that it may be used from; none: from everywhere';
comment on column tenantry.api_keys.created_by is 'whose rights bound its own';
comment on column tenantry.api_keys.at_most is 'the role that bounds it since its maker left; null: nobody left';
create index api_keys_by_age on tenantry.api_keys (org_id, created_at, id);
create index api_keys_of_person on tenantry.api_keys (created_by);
create index api_keys_by_end on tenantry.api_keys (least(expires_at, revoked_at))
    where expires_at is not null or revoked_at is not null;

create table tenantry.api_key_secrets (
    org_id     uuid        not null,
    key_id     uuid        not null,
    digest     bytea       not null,
    hint       text        not null,
    created_at timestamptz not null default tenantry.now(),
    ends_at    timestamptz,
    constraint api_key_secrets_key primary key (org_id, key_id, digest),
    constraint one_api_key_per_secret unique (digest),
    constraint api_key_secret_of_key foreign key (org_id, key_id)
        references tenantry.api_keys (org_id, id) on delete cascade
);
comment on table tenantry.api_key_secrets is 'what keys are known by; two while one takes the place of the other';
comment on column tenantry.api_key_secrets.digest is 'SHA-256 of the key as it is sent';
comment on column tenantry.api_key_secrets.ends_at is 'null: as long as the key';
"""

# A service key outlives its maker's membership with no more than it had: whoever was demoted and then leaves, or is
# removed, gives it nothing back by that, nor does whoever it passes to.
BOUNDS = """
create function tenantry.keep_bounds() returns trigger language plpgsql as $$
begin
    update tenantry.api_keys
       set at_most = case when 'member' in (old.role, at_most) then 'member' else 'admin' end
     where org_id = old.org_id
       and created_by = old.user_id
       and kind = 'service';
    return null;
end
$$;
comment on function tenantry.keep_bounds() is 'what a service key may do is at most what it could when its maker left';
create trigger bounds_are_kept after delete on tenantry.members
    for each row execute function tenantry.keep_bounds();
"""

# A key says itself which organization it is of: that may be read of the one that is presented, and of no other.
WALLS = """
create function tenantry.presented() returns bytea language sql stable parallel safe as $$
    select decode(nullif(current_setting('tenantry.presented', true), ''), 'hex')
$$;

alter table tenantry.api_keys enable row level security;
alter table tenantry.api_keys force row level security;
create policy in_org on tenantry.api_keys to tenantry_app using (org_id = (select tenantry.org()));
create policy house on tenantry.api_keys to tenantry_system using (true);
grant select, insert (org_id, id, kind, name, scopes, addresses, created_by, expires_at),
      update (name, scopes, addresses, expires_at, revoked_at, version, at_most) on tenantry.api_keys to tenantry_app;
grant select, insert, update, delete on tenantry.api_keys to tenantry_system;

alter table tenantry.api_key_secrets enable row level security;
alter table tenantry.api_key_secrets force row level security;
create policy in_org on tenantry.api_key_secrets to tenantry_app using (org_id = (select tenantry.org()));
create policy presented on tenantry.api_key_secrets for select to tenantry_app
    using (digest = (select tenantry.presented()));
create policy house on tenantry.api_key_secrets to tenantry_system using (true);
grant select, insert (org_id, key_id, digest, hint), update (ends_at), delete on tenantry.api_key_secrets
   to tenantry_app;
grant select, insert, update, delete on tenantry.api_key_secrets to tenantry_system;
"""

# As of a member, an answer tells the rank of the role that bounds the key. Three more rows say that what the process
# knows of the key (`known`, the stamp of that) is not true any more, or that it knew nothing.
GATE = """
create function tenantry.stamp_of(one tenantry.api_keys) returns uuid language sql stable parallel safe as $$
    select encode(substr(sha256(convert_to(
               concat_ws('|', one.id, one.kind, one.created_by, one.scopes::text, one.addresses::text),
               'UTF8')), 1, 16), 'hex')::uuid
$$;
comment on function tenantry.stamp_of(tenantry.api_keys) is 'changes with all that a process remembers of a key';

create function tenantry.enter_key(upper_half uuid, lower_half uuid, known uuid, place uuid,
                                   even_closed boolean default false, even_restricted boolean default false)
    returns setof boolean
    language plpgsql volatile parallel unsafe as $$
declare
    shown constant bytea = uuid_send(upper_half) || uuid_send(lower_half);
    authority record;
    bounds integer;
begin
    perform set_config('tenantry.person', '', true), set_config('tenantry.org', place::text, true),
            set_config('tenantry.presented', encode(shown, 'hex'), true);
    select secrets.org_id as home, api_keys.kind, api_keys.created_by, members.role, api_keys.at_most,
           tenantry.stamp_of(api_keys) as stamp,
           api_keys.revoked_at is null and coalesce(api_keys.expires_at > tenantry.now(), true) as alive,
           users.id is not null and users.disabled_at is null and users.closed_at is null as person_there,
           orgs.closed_at is not null as org_closed, orgs.restricted_from
      into authority
      from tenantry.api_key_secrets as secrets
      left join tenantry.api_keys on api_keys.org_id = secrets.org_id and api_keys.id = secrets.key_id
      left join tenantry.orgs on orgs.id = api_keys.org_id
      left join tenantry.members on members.org_id = api_keys.org_id and members.user_id = api_keys.created_by
      -- who left and came back comes back without what was theirs
      left join tenantry.users on users.id = members.user_id
                              and (api_keys.kind = 'service' or members.joined_at <= api_keys.created_at)
     where secrets.digest = shown
       and coalesce(secrets.ends_at > tenantry.now(), true);
    if not found then
        raise exception 'this key opens nothing' using errcode = 'TN40K';
    elsif authority.home <> place then
        raise exception 'this key is of another organization' using errcode = 'TN404';
    elsif not authority.alive or authority.kind = 'personal' and not authority.person_there then
        raise exception 'this key has ended' using errcode = 'TN40K';
    elsif authority.org_closed and not even_closed then
        raise exception 'this organization is closed' using errcode = 'TN410';
    elsif authority.restricted_from is not null and not even_restricted
          and authority.restricted_from <= tenantry.now() then
        raise exception 'this organization is not paid' using errcode = 'TN402';
    end if;
    -- what it makes is its maker's, by every default that names a person; what it may do is not
    perform set_config('tenantry.person', authority.created_by::text, true);
    -- a service key whose maker has left has at most the rights of an admin, and no more than it had until then
    bounds := least(case coalesce(authority.role, 'admin') when 'member' then 1 when 'admin' then 2 else 3 end,
                    case authority.at_most when 'member' then 1 when 'admin' then 2 else 3 end);
    return query select true
                   from generate_series(1, case when authority.stamp = known then bounds else bounds + 3 end);
end
$$;
comment on function tenantry.enter_key(uuid, uuid, uuid, uuid, boolean, boolean) is
    'opens an organization''s context for a live key of it; as many rows as its rights rank, three more if it changed';
"""


def upgrade() -> None:
    for part in (KEYS, BOUNDS, WALLS, GATE):
        op.execute(part)
