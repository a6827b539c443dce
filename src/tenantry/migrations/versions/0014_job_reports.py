"""Reports of jobs that somebody waits for, kept by the moves of the jobs themselves; dead letters cut by month."""

from alembic import op

revision, down_revision = "0014", "0013"

REPORTS = """
create table tenantry.job_reports (
    asked_at   timestamptz not null,
    id         uuid        not null,
    org_id     uuid,
    person_id  uuid,
    kind       text        not null,
    state      text        not null default 'waiting' constraint known_state
                           check (state in ('waiting', 'running', 'done', 'failed', 'cancelled')),
    attempt    integer     not null default 0,
    done       bigint      constraint done_is_counted check (done >= 0),
    total      bigint      constraint total_is_counted check (total >= 0),
    note       text        constraint note_is_short check (char_length(note) <= 200),
    started_at timestamptz,
    ended_at   timestamptz,
    constraint job_reports_key primary key (asked_at, id)
) partition by range (asked_at);
comment on table tenantry.job_reports is 'how the jobs stand that somebody waits for: the tracked ones';
comment on column tenantry.job_reports.id is 'the job''s, which who asked for it was told';
comment on column tenantry.job_reports.person_id is 'who asked for it, or whom it is about';
comment on column tenantry.job_reports.done is 'how far its last attempt was when it last said so';
comment on column tenantry.job_reports.started_at is 'when it was first taken';

create table tenantry.job_reports_rest partition of tenantry.job_reports default;
create index job_report_of_job on tenantry.job_reports (id);
create index job_reports_of_org on tenantry.job_reports (org_id) where org_id is not null;
create index job_reports_of_person on tenantry.job_reports (person_id) where person_id is not null;

alter table tenantry.job_reports enable row level security;
alter table tenantry.job_reports force row level security;
alter table tenantry.job_reports_rest enable row level security;
alter table tenantry.job_reports_rest force row level security;
create policy own_jobs on tenantry.job_reports to tenantry_app
    using (case when org_id is null then person_id = (select tenantry.person())
                else org_id = (select tenantry.org()) end)
    with check (case when org_id is null then person_id = (select tenantry.person())
                     else org_id = (select tenantry.org()) end);
create policy house on tenantry.job_reports to tenantry_system using (true);
grant select, insert (asked_at, id, org_id, person_id, kind) on tenantry.job_reports to tenantry_app;
grant select, insert, update, delete on tenantry.job_reports to tenantry_system;
"""

# this month and the next; the rest is made ahead by the house's upkeep
MONTHS = """
select tenantry.make_month('{table}', (date_trunc('month', tenantry.now() at time zone 'UTC') + ahead)::date)
  from unnest(array[interval '0', interval '1 month']) as ahead;
"""

# Before its triggers: what a revision moves has not just died. The owner, whom row security binds too, passes it by
# taking the force off a table that goes. Months come before the rows that lie in them.
LETTERS = """
-- squawk-ignore renaming-table
alter table tenantry.dead_letters rename to dead_letters_whole;
alter table tenantry.dead_letters_whole no force row level security;
-- squawk-ignore renaming-object
alter table tenantry.dead_letters_whole rename constraint dead_letters_key to dead_letters_whole_key;
create table tenantry.dead_letters (
    like tenantry.dead_letters_whole including defaults including comments,
    spared integer not null default 0,
    group_key text,
    tracked boolean not null default false,
    constraint dead_letters_key primary key (died_at, id)
) partition by range (died_at);
create table tenantry.dead_letters_rest partition of tenantry.dead_letters default;
"""

MOVED = """
insert into tenantry.dead_letters select * from tenantry.dead_letters_whole;
-- squawk-ignore ban-drop-table
drop table tenantry.dead_letters_whole;
comment on table tenantry.dead_letters is 'jobs that nobody will try again by themselves, and why';
create index dead_letter_of_job on tenantry.dead_letters (id);
create index dead_letters_of_kind on tenantry.dead_letters (kind, died_at, id);
create index dead_letters_of_org on tenantry.dead_letters (org_id, died_at, id) where org_id is not null;

alter table tenantry.dead_letters enable row level security;
alter table tenantry.dead_letters force row level security;
alter table tenantry.dead_letters_rest enable row level security;
alter table tenantry.dead_letters_rest force row level security;
create policy house on tenantry.dead_letters to tenantry_system using (true);
grant select, insert, update, delete on tenantry.dead_letters to tenantry_system;
"""

# A report says where its job stands, so it is kept by the moves themselves, in their transaction: whichever statement
# moves a job, and none can forget it. A move is a deletion here and an insertion there, whose triggers fire in this
# order at its end; a deletion alone is an ending. `tracked` is judged before anything is called: others pay nothing. So
# a job that its unique key keeps out has no report either, and the application's role need not read the queue for that.
MOVES = """
alter table tenantry.jobs add column tracked boolean not null default false;
alter table tenantry.job_runs add column tracked boolean not null default false;
comment on column tenantry.jobs.tracked is 'somebody waits for it: it has a report';
grant insert (tracked) on tenantry.jobs to tenantry_app;

create function tenantry.report_waiting() returns trigger language plpgsql as $$
begin
    if new.attempt = 0 then
        insert into tenantry.job_reports (asked_at, id, org_id, person_id, kind)
        values (new.asked_at, new.id, new.org_id, new.person_id, new.kind)
            on conflict do nothing;
    else
        update tenantry.job_reports
           set state = 'waiting', ended_at = null
         where asked_at = new.asked_at and id = new.id;
    end if;
    return null;
end
$$;
create function tenantry.report_running() returns trigger language plpgsql as $$
begin
    update tenantry.job_reports
       set state = 'running', attempt = new.attempt, started_at = coalesce(started_at, tenantry.now()), ended_at = null
     where asked_at = new.asked_at and id = new.id;
    return null;
end
$$;
create function tenantry.report_ended() returns trigger language plpgsql as $$
begin
    update tenantry.job_reports
       set state = tg_argv[0], ended_at = tenantry.now()
     where asked_at = coalesce(new.asked_at, old.asked_at) and id = coalesce(new.id, old.id);
    return null;
end
$$;
comment on function tenantry.report_waiting() is 'begins the report of a job, or says that it waits again';
comment on function tenantry.report_running() is 'says of a job that a worker has it';
comment on function tenantry.report_ended() is 'says of a job how it ended: the argument';

create trigger report_asked after insert on tenantry.jobs
    for each row when (new.tracked) execute function tenantry.report_waiting();
create trigger report_withdrawn after delete on tenantry.jobs
    for each row when (old.tracked) execute function tenantry.report_ended('cancelled');
create trigger report_taken after insert on tenantry.job_runs
    for each row when (new.tracked) execute function tenantry.report_running();
create trigger report_finished after delete on tenantry.job_runs
    for each row when (old.tracked and old.cancel_asked_at is null) execute function tenantry.report_ended('done');
create trigger report_stopped after delete on tenantry.job_runs
    for each row when (old.tracked and old.cancel_asked_at is not null)
    execute function tenantry.report_ended('cancelled');
create trigger report_buried after insert on tenantry.dead_letters
    for each row when (new.tracked) execute function tenantry.report_ended('failed');
"""


def upgrade() -> None:
    months = [MONTHS.format(table=table) for table in ("job_reports", "dead_letters")]
    for part in (REPORTS, LETTERS, *months, MOVED, MOVES):
        op.execute(part)
