"""The queue grown up: groups that go in order, limits, windows of unique keys, pausing, cancelling."""

from alembic import op

revision, down_revision = "0012", "0011"

# A job of a group that has no free place stands aside, out of the index that claims read; whoever ends a run of the
# group moves the next one back into it.
JOBS = """
alter table tenantry.jobs add column group_key text;
alter table tenantry.jobs add column held boolean not null default false;
alter table tenantry.jobs add column spared integer not null default 0;
alter table tenantry.jobs add column tick timestamptz;
alter table tenantry.jobs add constraint held_in_a_group
    check (not held or (group_key is not null and not due)) not valid;
comment on column tenantry.jobs.group_key is 'what it goes in order with, or shares a limit with, in lane and queue';
comment on column tenantry.jobs.held is 'stands aside until its group has a free place';
comment on column tenantry.jobs.spared is 'how many of its attempts do not count: snoozed, or handed back by a worker';
comment on column tenantry.jobs.tick is 'the tick of its schedule that it is for';
comment on column tenantry.jobs.seq is 'the place in its lane; one that comes back goes to the end, but not in a group';

-- these tables hold what is to be done, not what was: the indexes are made in a moment
-- squawk-ignore require-concurrent-index-deletion
drop index tenantry.jobs_later;
-- squawk-ignore require-concurrent-index-creation
create index jobs_later on tenantry.jobs (queue, run_at) where not due and not held;
-- squawk-ignore require-concurrent-index-creation
create index jobs_held on tenantry.jobs (queue, lane, group_key, seq) where held;
-- squawk-ignore require-concurrent-index-creation
create index jobs_of_group on tenantry.jobs (queue, lane, group_key, seq) where group_key is not null and not held;

grant insert (group_key) on tenantry.jobs to tenantry_app;
-- one that comes back takes a new place
grant usage on sequence tenantry.jobs_seq_seq to tenantry_system;
"""

RUNS = """
alter table tenantry.job_runs add column seq bigint not null default 0;
alter table tenantry.job_runs add column group_key text;
alter table tenantry.job_runs add column spared integer not null default 0;
alter table tenantry.job_runs add column tick timestamptz;
alter table tenantry.job_runs add column limited boolean not null default false;
alter table tenantry.job_runs add column cancel_asked_at timestamptz;
comment on column tenantry.job_runs.seq is 'the place that a job of a group goes back to';
comment on column tenantry.job_runs.limited is 'counts against a limit of its queue, or holds a place in its group';
comment on column tenantry.job_runs.cancel_asked_at is 'since then it cannot complete, and does not come back';
-- squawk-ignore require-concurrent-index-creation
create index job_runs_limited on tenantry.job_runs (queue, org_id, group_key) where limited;
-- squawk-ignore require-concurrent-index-creation
create index job_runs_to_cancel on tenantry.job_runs (worker) where cancel_asked_at is not null;
"""

QUEUES = """
create table tenantry.job_queues (
    name      text        not null constraint job_queues_key primary key,
    paused_at timestamptz
);
comment on table tenantry.job_queues is 'queues with a limit, locked by whoever claims from one; and paused ones';

create table tenantry.job_rates (
    queue     text        not null,
    scope     text        not null constraint known_scope check (scope in ('queue', 'lane', 'group')),
    lane      uuid        not null,
    group_key text        not null,
    full_at   timestamptz not null,
    constraint job_rates_key primary key (queue, scope, lane, group_key)
) with (fillfactor = 50);
comment on table tenantry.job_rates is 'how fast jobs were started where that is limited';
comment on column tenantry.job_rates.full_at is 'when all starts are back; what has passed says nothing';

create table tenantry.job_uniques (
    kind   text        not null,
    lane   uuid        not null,
    digest bytea       not null,
    until  timestamptz not null,
    constraint job_uniques_key primary key (kind, lane, digest)
);
comment on table tenantry.job_uniques is 'unique keys of jobs whose window is open, whatever became of the jobs';
comment on column tenantry.job_uniques.digest is 'of the key, which may name somebody';
create index job_uniques_by_end on tenantry.job_uniques (until);
"""

WALLS = """
alter table tenantry.job_queues enable row level security;
alter table tenantry.job_queues force row level security;
create policy house on tenantry.job_queues to tenantry_system using (true);
grant select, insert, update, delete on tenantry.job_queues to tenantry_system;

alter table tenantry.job_rates enable row level security;
alter table tenantry.job_rates force row level security;
create policy house on tenantry.job_rates to tenantry_system using (true);
grant select, insert, update, delete on tenantry.job_rates to tenantry_system;

alter table tenantry.job_uniques enable row level security;
alter table tenantry.job_uniques force row level security;
create policy asking on tenantry.job_uniques to tenantry_app
    using (lane = coalesce((select tenantry.org()), '00000000-0000-0000-0000-000000000000'));
create policy house on tenantry.job_uniques to tenantry_system using (true);
grant select, insert, update (until) on tenantry.job_uniques to tenantry_app;
grant select, insert, update, delete on tenantry.job_uniques to tenantry_system;
"""

# What an idle worker asks, as a function: its plan must not become one that reads a whole table, and the settings that
# see to that would each be a statement of its own.
LOOK = """
create function tenantry.look_at_queues(served text[], looking uuid)
    returns table (ready boolean, next_in double precision, held boolean, lost boolean, cancelled uuid[])
    language sql volatile parallel unsafe
    set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off as $$
select (select count(*) > 0
          from unnest(served) as queue (name)
         cross join lateral (select from tenantry.jobs where due and jobs.queue = queue.name limit 1) as first
         where not exists (select
                             from tenantry.job_queues
                            where job_queues.name = queue.name and paused_at is not null)),
       (select min(extract(epoch from first.run_at - tenantry.now()))::double precision
          from unnest(served) as queue (name)
         cross join lateral (select run_at
                               from tenantry.jobs
                              where not due and not jobs.held and jobs.queue = queue.name
                              order by jobs.queue, run_at
                              limit 1) as first),
       (select count(*) > 0
          from unnest(served) as queue (name)
         cross join lateral (select from tenantry.jobs where jobs.held and jobs.queue = queue.name limit 1) as first),
       exists (select from tenantry.job_runs where leased_until < tenantry.tick()),
       array(select id from tenantry.job_runs where worker = looking and cancel_asked_at is not null)
$$;
comment on function tenantry.look_at_queues(text[], uuid) is
    'whether jobs wait, in how many seconds a later one is due, and what needs a worker: groups, leases, cancellations';
"""

PLACE = """
create function tenantry.place_of_job(group_key text, seq bigint) returns bigint
    language sql volatile parallel unsafe as
    $$select case when group_key is null then nextval('tenantry.jobs_seq_seq') else seq end$$;
comment on function tenantry.place_of_job(text, bigint) is
    'where a job that comes back stands in its lane: at the end, or where it stood in its group';
"""

# Called at the end of a run, whose transaction may have any plans.
NEXT = """
create function tenantry.let_next(queues text[], lanes uuid[], keys text[]) returns bigint
    language sql volatile parallel unsafe
    set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off as $$
with moved as (
    update tenantry.jobs
       set held = false, due = true
     where id = any (array(select next.id
                             from unnest(queues, lanes, keys) as ended (queue, lane, key)
                            cross join lateral (select jobs.id
                                                  from tenantry.jobs
                                                 where jobs.held and jobs.queue = ended.queue
                                                   and jobs.lane = ended.lane and jobs.group_key = ended.key
                                                 order by jobs.seq
                                                 limit 1
                                                   for update skip locked) as next))
    returning id
)
select count(*) from moved
$$;
comment on function tenantry.let_next(text[], uuid[], text[]) is 'lets the next job of each group be claimed';
"""


def upgrade() -> None:
    for part in (JOBS, RUNS, QUEUES, WALLS, LOOK, PLACE, NEXT):
        op.execute(part)
