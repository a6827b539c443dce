"""The event log grown up: ids that can be told outside, details that can be erased, and months made ahead."""

from alembic import op

revision, down_revision = "0010", "0009"

EVENTS = """
-- events of before get one each; new ones bring theirs
-- squawk-ignore adding-field-with-default
alter table tenantry.events add column public_id uuid not null default gen_random_uuid();
-- squawk-ignore ban-drop-default
alter table tenantry.events alter column public_id drop default;
alter table tenantry.events add column digest bytea;
comment on column tenantry.events.public_id is 'the id that others know it by';
comment on column tenantry.events.digest is 'binds its details, and stays when they are erased';
grant insert (public_id, digest) on tenantry.events to tenantry_app, tenantry_system;
"""

DETAILS = """
create table tenantry.details (
    row_id    uuid        not null,
    about     text        not null constraint known_about check (about in ('subject', 'actor')),
    at        timestamptz not null default tenantry.now(),
    org_id    uuid,
    person_id uuid,
    email_key text,
    salt      bytea       not null,
    named     jsonb       not null,
    constraint details_key primary key (row_id, about)
);
comment on table tenantry.details is 'what is personal about an event or an audit row; erased with the person';
create index details_of_person on tenantry.details (person_id) where person_id is not null;
create index details_of_address on tenantry.details (email_key) where email_key is not null;
create index details_of_org on tenantry.details (org_id) where org_id is not null;

alter table tenantry.details enable row level security;
alter table tenantry.details force row level security;
create policy own_history on tenantry.details to tenantry_app
    using (case when org_id is null then person_id = (select tenantry.person())
                else org_id = (select tenantry.org()) end)
    with check (case when org_id is null then person_id = (select tenantry.person())
                     else org_id = (select tenantry.org()) end);
create policy house on tenantry.details to tenantry_system using (true);
grant select, insert on tenantry.details to tenantry_app;
grant select, insert, delete on tenantry.details to tenantry_system;
"""

# Whoever runs the house's upkeep owns no table, so this runs as whoever does. A month is made apart and then attached,
# so that writers wait only for a look at the default partition, which is empty unless the upkeep was away for months.
# Then its rows of that month move along, and writers of that table wait meanwhile: hence only so many.
MONTHS = """
create function tenantry.month_of(parent text, month date) returns text
    language sql immutable set search_path = '' as
    $$select 'tenantry.' || quote_ident(parent || to_char(month, '"_y"YYYY"m"MM'))$$;
comment on function tenantry.month_of(text, date) is 'what the partition of a month is called';

create function tenantry.make_month(parent text, month date, most integer default 50000) returns boolean
    language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
declare
    child constant text := tenantry.month_of(parent, month);
    whole constant text := 'tenantry.' || quote_ident(parent);
    rest constant text := 'tenantry.' || quote_ident(parent || '_rest');
    first constant text := quote_literal(month::timestamp at time zone 'UTC');
    after constant text := quote_literal((month + interval '1 month') at time zone 'UTC');
    attach constant text := 'alter table ' || whole || ' attach partition ' || child
                         || ' for values from (' || first || ') to (' || after || ')';
    theirs text;
    found bigint;
begin
    if not exists (select from pg_catalog.pg_partitioned_table where partrelid = whole::regclass)
        or month <> date_trunc('month', month)::date then
        raise exception using message = 'no such month is made for ' || parent;
    end if;
    -- two that make the same month at once: the second finds it
    perform pg_advisory_xact_lock(hashtextextended('tenantry.make_month', 0));
    if to_regclass(child) is not null then
        return false;
    end if;
    execute 'create table ' || child || ' (like ' || whole || ' including defaults including constraints)';
    begin
        execute attach;
    exception when check_violation then
        select ' where ' || quote_ident(attname) || ' >= ' || first || ' and ' || quote_ident(attname) || ' < ' || after
          into theirs
          from pg_catalog.pg_partitioned_table
          join pg_catalog.pg_attribute on attrelid = partrelid and attnum = partattrs[0]
         where partrelid = whole::regclass;
        -- its owner is bound by its row-level security too, and moved is not deleted; nobody else touches it meanwhile
        execute 'alter table ' || rest || ' no force row level security, disable trigger user';
        execute 'select count(*) from (select from ' || rest || theirs || ' limit ' || most + 1 || ') as found'
       into found;
        if found > most then
            raise exception using errcode = 'program_limit_exceeded',
                message = parent || '_rest has more rows of that month than are moved while writers wait';
        end if;
        execute 'with moved as (delete from ' || rest || theirs || ' returning *) insert into ' || child
             || ' select * from moved';
        execute 'alter table ' || rest || ' force row level security, enable trigger user';
        execute attach;
    end;
    execute 'alter table ' || child || ' enable row level security';
    execute 'alter table ' || child || ' force row level security';
    return true;
end
$$;
comment on function tenantry.make_month(text, date, integer) is
    'makes the partition of a month, unless it is there, and moves so many rows of that month to it';

create function tenantry.drop_month(parent text, month date) returns boolean
    language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
declare
    child constant text := tenantry.month_of(parent, month);
begin
    if not exists (select from pg_catalog.pg_inherits
                    where inhparent = ('tenantry.' || quote_ident(parent))::regclass
                      and inhrelid = to_regclass(child)) then
        return false;
    end if;
    execute 'drop table ' || child;
    return true;
end
$$;
comment on function tenantry.drop_month(text, date) is 'drops the partition of a month with all that is in it';

revoke all on function tenantry.make_month(text, date, integer), tenantry.drop_month(text, date) from public;
grant execute on function tenantry.make_month(text, date, integer), tenantry.drop_month(text, date) to tenantry_system;
"""

# what came before this revision moves along however much it is: nobody writes while a revision is applied
FIRST_MONTHS = """
select tenantry.make_month('events', (date_trunc('month', tenantry.now() at time zone 'UTC')
                                      + ahead * interval '1 month')::date, 2147483646)
  from generate_series(0, 3) as ahead;
"""


def upgrade() -> None:
    for part in (EVENTS, DETAILS, MONTHS, FIRST_MONTHS):
        op.execute(part)
