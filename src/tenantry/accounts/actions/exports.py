"""How a person takes away what the house holds about them: asked for, gathered, taken once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from tenantry.accounts import queries
from tenantry.accounts.actions.registration import take_turn
from tenantry.accounts.events import ExportAsked, ExportReady, ExportTaken
from tenantry.accounts.models import EXPORT_LIFE, EXPORT_PAUSE, Export
from tenantry.accounts.problems import LinkInvalid, TooManyExports
from tenantry.foundation.action import action
from tenantry.foundation.data.ids import USER_ID, new_id
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.permission import HOUSE, ONESELF
from tenantry.foundation.question import Question
from tenantry.foundation.work import PersonWork, SystemWork, Work

Sections = Mapping[str, Any]


def _together(answers: Sequence[Sections]) -> Sections:
    return {name: content for sections in answers for name, content in sections.items()}


what_is_held: Question[[UUID], Sections] = Question(
    "what_is_held",
    "What does the house hold about this person? Sections by name, as JSON can say them.",
    settle=_together,
)

void_exports = run("""
    update tenantry.exports
       set used_at = tenantry.now(), sealed = null
     where user_id = tenantry.person()
       and used_at is null
""")

keep_export = run("insert into tenantry.exports (id, user_id) values (:id, :user_id)")


@action(requires=ONESELF, records=ExportAsked)
async def ask_export(work: PersonWork) -> Export:
    """Ask for what the house holds about oneself; within an hour it is the same export again, until that is taken."""
    await take_turn(work, turn=f"export of {work.person}")
    recent = await queries.recent_export(work, pause=EXPORT_PAUSE)
    if recent is not None:
        if recent.used:
            raise TooManyExports(retry_after=recent.pause_left)
        return recent
    await void_exports(work)
    export_id = new_id()
    await keep_export(work, id=export_id, user_id=work.person)
    work.record(ExportAsked(user_id=work.person, export_id=export_id))
    return Export(export_id, ready=False, used=False, pause_left=0)


fill_export = value(
    UUID,
    """
    update tenantry.exports
       set sealed = :sealed, expires_at = tenantry.now() + :life::interval
     where id = :export_id
       and expires_at is null
       and used_at is null
 returning user_id
    """,
)


@action(requires=HOUSE, records=ExportReady)
async def finish_export(work: SystemWork, *, export_id: UUID, sealed: bytes) -> None:
    """Keep what was gathered, sealed, for its person to take away."""
    # none where the person was purged or asked anew meanwhile, or another attempt at the same job was faster
    user_id = await fill_export(work, export_id=export_id, sealed=sealed, life=EXPORT_LIFE)
    if user_id is not None:
        work.record(ExportReady(user_id=user_id, export_id=export_id))


# the lock makes the second of two who come at once look again, and find it used
empty_export = value(
    bytes,
    """
    with held as (
        select id, sealed
          from tenantry.exports
         where id = :export_id
           and user_id = tenantry.person()
           and used_at is null
           and expires_at > tenantry.now()
           for update
    )
    update tenantry.exports
       set sealed = null, used_at = tenantry.now()
      from held
     where exports.id = held.id
 returning held.sealed
    """,
)


@action(requires=ONESELF, records=ExportTaken)
async def take_export(work: PersonWork, *, export_id: UUID) -> bytes:
    """Take one's export away; it is gone from the house with that."""
    sealed = await empty_export(work, export_id=export_id)
    if sealed is None:
        raise LinkInvalid
    work.record(ExportTaken(user_id=work.person, export_id=export_id))
    return sealed


remove_old = run("""
    delete from tenantry.exports
     where coalesce(expires_at, asked_at + :life::interval) < tenantry.now()
        or used_at < tenantry.now() - :pause::interval
""")


@action(requires=HOUSE)
async def remove_old_exports(work: SystemWork) -> int:
    """Remove exports that were taken, were not taken in time, or never came about; says how many."""
    return await remove_old(work, life=EXPORT_LIFE, pause=EXPORT_PAUSE)


async def held_by_accounts(work: Work, user_id: UUID) -> Sections:
    """What accounts hold about a person: the profile, the devices, what happened, and what else is noted of them."""
    user = await queries.user_by_id(work, user_id=user_id)
    history = await queries.history_held(work, user_id=user_id, most=MOST_ROWS)
    noted = await queries.noted_held(work, user_id=user_id, most=MOST_ROWS)
    return {
        "profile": msgspec.to_builtins(user) | {"id": USER_ID.text(user.id)},
        "devices": await queries.devices_held(work, user_id=user_id, most=MOST_ROWS),
        "history": [
            {"at": one.at, "kind": one.kind, "facts": _as_json(one.payload), "details": _as_json(one.named or "null")}
            for one in history
        ],
        "noted": [{"at": one.at, "about": one.about, "details": _as_json(one.named)} for one in noted],
    }


def _as_json(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


MOST_ROWS = 10_000
"""Devices and events of one person in an export, at most."""
