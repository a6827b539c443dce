"""Idempotency: answers that were given, kept for a day with the key they were asked with."""

from alembic import op

revision, down_revision = "0019", "0018"

# Three days lie side by side, each in a part of its own: what was kept the day before yesterday is emptied as a whole.
# A row is named by a digest of who asked where with which key, and only who presents that digest finds it.
ANSWERS = """
create table tenantry.kept_answers (
    slot   smallint    not null,
    digest uuid        not null,
    at     timestamptz not null default tenantry.now(),
    sealed bytea,
    constraint kept_answers_key primary key (slot, digest)
) partition by list (slot);
create table tenantry.kept_answers_0 partition of tenantry.kept_answers for values in (0);
create table tenantry.kept_answers_1 partition of tenantry.kept_answers for values in (1);
create table tenantry.kept_answers_2 partition of tenantry.kept_answers for values in (2);
comment on table tenantry.kept_answers is 'what was answered to requests with an Idempotency-Key, for a day';
comment on column tenantry.kept_answers.slot is 'the day, counted since 1970 in UTC, modulo three';
comment on column tenantry.kept_answers.digest is 'of organization, caller and key';
comment on column tenantry.kept_answers.sealed is 'what was asked, and answered; null while it is worked out';

create function tenantry.asked() returns uuid language sql stable parallel safe as $$
    select nullif(current_setting('tenantry.asked', true), '')::uuid
$$;

create function tenantry.answer_slot(ago integer) returns smallint language sql stable parallel safe as $$
    select mod(floor(extract(epoch from tenantry.now()) / 86400)::bigint - ago, 3)::smallint
$$;
comment on function tenantry.answer_slot(integer) is 'the slot of today, or of so many days ago';
"""

WALLS = """
alter table tenantry.kept_answers enable row level security;
alter table tenantry.kept_answers force row level security;
create policy asked on tenantry.kept_answers to tenantry_app using (digest = (select tenantry.asked()));
create policy house on tenantry.kept_answers to tenantry_system using (true);
grant select, insert (slot, digest, sealed), update (at, sealed) on tenantry.kept_answers to tenantry_app;
grant select, insert, update, delete on tenantry.kept_answers to tenantry_system;
alter table tenantry.kept_answers_0 enable row level security;
alter table tenantry.kept_answers_0 force row level security;
alter table tenantry.kept_answers_1 enable row level security;
alter table tenantry.kept_answers_1 force row level security;
alter table tenantry.kept_answers_2 enable row level security;
alter table tenantry.kept_answers_2 force row level security;
"""

# Said in the opening words of a transaction: it costs no round trip. Who asks the same meanwhile waits for its commit,
# as long as for any lock, also behind a pooler, whose sessions have no limits of ours. What was begun and not answered
# within the patience was left by a process that died.
CLAIMING = """
create function tenantry.kept_answer(claimed uuid, out at timestamptz, out sealed bytea)
    returns setof record
    language plpgsql volatile parallel unsafe as $$
declare
    today constant smallint := tenantry.answer_slot(0);
    yesterday constant smallint := tenantry.answer_slot(1);
begin
    perform set_config('tenantry.asked', claimed::text, true);
    return query select kept.at, kept.sealed
                   from tenantry.kept_answers as kept
                  where kept.slot in (today, yesterday)
                    and kept.digest = claimed
                    and kept.at > tenantry.now() - interval '24 hours'
                    and (kept.sealed is not null or kept.at > tenantry.now() - interval '15 seconds')
                  order by kept.at desc
                  limit 1;
end
$$;

create function tenantry.claim_answer(claimed uuid) returns void
    language plpgsql volatile parallel unsafe set lock_timeout = '2s' as $$
declare
    name constant bigint := hashtextextended(claimed::text, 19);
    pending boolean;
begin
    if not pg_try_advisory_xact_lock(name) then
        begin
            perform pg_advisory_xact_lock(name);
        exception when lock_not_available then
            raise exception 'the same is being done' using errcode = 'TN409';
        end;
    end if;
    -- a statement after the lock: it sees what whoever held it has committed
    select kept.sealed is null into pending from tenantry.kept_answer(claimed) as kept;
    if pending then
        raise exception 'the same is being done' using errcode = 'TN409';
    elsif not pending then
        raise exception 'this was answered' using errcode = 'TN208';
    end if;
end
$$;
comment on function tenantry.claim_answer(uuid) is
    'lets one transaction at a time do what is asked for under a key, and none once it is answered';

-- the day before yesterday's; nobody is kept waiting for it, as another hour does as well
create function tenantry.forget_answers() returns boolean
    language plpgsql security definer set search_path = '' set lock_timeout = '200ms' as $$
declare
    old constant text := 'tenantry.kept_answers_' || tenantry.answer_slot(2);
begin
    if pg_catalog.pg_relation_size(old::regclass) = 0 then
        return false;
    end if;
    execute 'truncate ' || old;
    return true;
exception when lock_not_available then
    return false;
end
$$;
comment on function tenantry.forget_answers() is 'empties the slot in which all answers are older than a day';
revoke execute on function tenantry.forget_answers() from public;
grant execute on function tenantry.forget_answers() to tenantry_system;
"""


def upgrade() -> None:
    for part in (ANSWERS, WALLS, CLAIMING):
        op.execute(part)
