"""Denials: what somebody was kept from, remembered after the rollback, one row for all that is the same in a minute.

Written in a transaction of its own when the request's connection is back. One that cannot be written changes no answer:
it is counted, said in the log and tried again. Reads of the audit log are remembered in the same way.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec
from asyncpg.exceptions import PostgresError
from prometheus_client import Counter

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import run
from tenantry.foundation.gathered import PAUSE, Merged
from tenantry.foundation.logs import get_logger
from tenantry.foundation.problems import NotFound, Problem
from tenantry.foundation.refusals import AccountClosed
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.limits import network
from tenantry.foundation.trail import acting, whereabouts
from tenantry.foundation.work import SystemWork

WITHIN = 1.0
"""Seconds that an answer waits for a denial to be written."""
MOST_WRITING = 2
"""Denials that a process writes at the same time while their answers wait; others are written together soon after."""
AT_ONCE = 500
LONGEST_PAUSE = 60.0
MOST_DOUBLINGS = 10
HOUSE = Actor("house")
log = get_logger("tenantry.denials")
counted = Counter("tenantry_audit_merged", "Denials and reads for the audit log: written, put off, lost.", ("how",))
_text = msgspec.json.Encoder(order="sorted").encode

# the first of a minute brings the details of where it came from; those that are merged into it leave none. One whose
# commit was not answered is written once more, and finds its own details there
keep_merged = run("""
    with said as (
        select *
          from unnest(:ids::uuid[], :orgs::uuid[], :persons::uuid[], :actions::text[], :outcomes::text[],
                      :actor_kinds::text[], :actors::uuid[], :names::text[], :sessions::uuid[], :behalves::uuid[],
                      :target_kinds::text[], :targets::uuid[], :afters::text[], :requests::text[], :digests::bytea[],
                      :times::int[], :keys::text[], :salts::bytea[], :named::text[])
            as one (id, org_id, person_id, action, outcome, actor_kind, actor_id, actor_name, session_id,
                    on_behalf_of, target_kind, target_id, after, request_id, digest, times, merge_key, salt, named)
    ), kept as (
        insert into tenantry.audit_log as before (at, id, org_id, person_id, action, outcome, actor_kind, actor_id,
                    actor_name, session_id, on_behalf_of, target_kind, target_id, after, request_id, actor_digest,
                    times, merge_key)
        select date_trunc('minute', tenantry.now()), id, org_id, person_id, action, outcome, actor_kind, actor_id,
               actor_name, session_id, on_behalf_of, target_kind, target_id, after::jsonb, request_id, digest, times,
               merge_key
          from said
         order by merge_key
            on conflict (at, merge_key) where merge_key is not null
            do update set times = before.times + excluded.times
        returning id
    )
    insert into tenantry.details (row_id, about, org_id, person_id, salt, named)
    select said.id, 'actor', said.org_id, coalesce(said.person_id, said.on_behalf_of), said.salt, said.named::jsonb
      from said
      join kept on kept.id = said.id
     where said.salt is not null
        on conflict (row_id, about) do nothing
""")
_NAMES = (
    *("ids", "orgs", "persons", "actions", "outcomes", "actor_kinds", "actors", "names", "sessions", "behalves"),
    *("target_kinds", "targets", "afters", "requests"),
)


class Doing(msgspec.Struct, frozen=True):
    """Something that was done, or denied, and leaves one row a minute however often; `why` tells which denial it is."""

    action: str
    outcome: Literal["done", "denied"]
    org: UUID | None
    target: tuple[str, UUID] | None = None
    why: Mapping[str, str] | None = None


async def remember_denial(
    call: Call, problem: Problem, *, action: str, org: UUID | None, target: tuple[str, UUID] | None
) -> None:
    """Leave a row about somebody who was kept from what is not theirs."""
    # of a stranger, or of somebody who is looked at before their membership is, an organization learns nothing
    inside = None if isinstance(problem, NotFound | AccountClosed) else org
    permission = problem.more.get("permission")
    why = {"refused": problem.code} | ({"permission": str(permission)} if permission else {})
    await remember(call, Doing(action, "denied", inside, target or (None if org is None else ("org", org)), why))


async def remember(call: Call, doing: Doing) -> None:
    """Count something for its minute's row, and write that unless this was done a moment ago."""
    gathered = call.runtime.gathered
    merged = _merged(call, doing)
    try:
        if not gathered.add(merged):
            _lose(merged.times, "too many wait")
        elif gathered.due(merged.key) and gathered.writing < MOST_WRITING:
            await _write_now(call.runtime, merged.key)
    finally:
        # where the request is cut off meanwhile, too
        if gathered.waiting:
            counted.labels("put off").inc()
            _soon(call.runtime)


async def _write_now(runtime: Runtime, key: str) -> None:
    runtime.gathered.writing += 1
    try:
        await _write(runtime, runtime.gathered.take([key]))
    finally:
        runtime.gathered.writing -= 1


async def settle(runtime: Runtime) -> None:
    """Write everything that waits; what cannot be written now is lost, and said to be."""
    gathered = runtime.gathered
    if gathered.flushing is not None:
        gathered.flushing.cancel()
        # it gives back what it was about to write
        await asyncio.wait([gathered.flushing], timeout=3 * WITHIN)
    while taken := gathered.take(list(gathered.waiting)[:AT_ONCE]):
        if not await _write(runtime, taken):
            _lose(sum(merged.times for merged in gathered.take(list(gathered.waiting))), "the process ends")


def _merged(call: Call, doing: Doing) -> Merged:
    kind, actor, name, session, on_behalf_of = acting(call)
    who = (kind, str(actor or name or network(call.source)), str(on_behalf_of or ""))
    target = doing.target
    same = [*who, doing.action, doing.outcome, str(doing.org or ""), *(doing.why or {}).values()]
    if target is not None and not call.runtime.gathered.knows(_named(same), str(target[1])):
        target = None
    sealed = details.sealed() if (details := whereabouts(call)) else None
    row = (
        *(new_id(), doing.org, call.actor.person if kind == "person" else None, doing.action, doing.outcome),
        *(kind, actor, name, session, on_behalf_of, *(target or (None, None))),
        *(_text(doing.why).decode() if doing.why else None, call.request_id),
    )
    return Merged(_named([*same, *map(str, target or ())]), row, sealed)


def _named(parts: Sequence[str]) -> str:
    return hashlib.sha256(_text(parts)).hexdigest()


async def _write(runtime: Runtime, taken: Sequence[Merged]) -> bool:
    """Write rows in a transaction of their own; those that it did not come to wait for another try."""
    if not taken:
        return True
    try:
        async with asyncio.timeout(WITHIN):
            await _keep(runtime, taken)
    except (Problem, PostgresError, OSError, TimeoutError) as error:
        runtime.gathered.failed += 1
        log.warning("denials not written yet", rows=len(taken), why=type(error).__name__)
        _give_back(runtime, taken)
        return False
    except BaseException:
        # cut off, with the request or at the end of the process: it is written with others
        _give_back(runtime, taken)
        raise
    runtime.gathered.failed = 0
    counted.labels("written").inc(len(taken))
    return True


def _give_back(runtime: Runtime, taken: Sequence[Merged]) -> None:
    if lost := runtime.gathered.give_back(taken):
        _lose(lost, "too many wait")


async def _keep(runtime: Runtime, taken: Sequence[Merged]) -> None:
    columns: dict[str, list[Any]] = {
        name: list(values) for name, values in zip(_NAMES, zip(*(one.row for one in taken), strict=True), strict=True)
    }
    columns |= {"times": [one.times for one in taken], "keys": [one.key for one in taken]}
    for name, field in (("digests", "digest"), ("salts", "salt"), ("named", "values")):
        columns[name] = [getattr(one.where, field, None) for one in taken]
    async with SystemWork(
        Call(runtime, HOUSE, "denials"), reason="a denial is remembered when its own work is undone"
    ) as work:
        await keep_merged(work, **columns)


def _soon(runtime: Runtime) -> None:
    """See to it that what waits is written within a second or so; later while the database does not take it."""
    gathered = runtime.gathered
    if gathered.flushing is None or gathered.flushing.done():
        gathered.flushing = asyncio.create_task(_flush(runtime))


async def _flush(runtime: Runtime) -> None:
    gathered = runtime.gathered
    while gathered.waiting:
        pause = min(PAUSE * 2 ** min(gathered.failed, MOST_DOUBLINGS), LONGEST_PAUSE)
        await asyncio.sleep(pause * random.uniform(1, 1.2))  # noqa: S311  (jitter)
        await _write(runtime, gathered.take(list(gathered.waiting)[:AT_ONCE]))


def _lose(times: int, why: str) -> None:
    if times:
        counted.labels("lost").inc(times)
        log.error("denials lost", times=times, why=why)
