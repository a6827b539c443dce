"""What the command line does with the audit log: shows it, writes it into a file, and verifies its seals."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import msgspec

from tenantry.audit import exchanges, queries
from tenantry.audit.exchanges import Verdict
from tenantry.audit.models import Entry, Filters, Shown, shown
from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.data.ids import ORG_ID, IdKind
from tenantry.foundation.denials import Doing, remember, settle
from tenantry.foundation.instants import read_instant
from tenantry.foundation.work import SystemWork

OPERATOR = "an operator reads the audit log"
MOST_SHOWN = 1000

Org = Annotated[str | None, Option("Only what happened in this organization (`org_...`).")]
Actor = Annotated[str | None, Option("Only what this person did (`usr_...`).")]
Action = Annotated[str | None, Option("An action, or where it begins: `orgs:member`.")]
Target = Annotated[str | None, Option("Only what was done to the thing with this id.")]
Since = Annotated[str | None, Option("Only from this moment on (RFC 3339).", flag="--from")]
Until = Annotated[str | None, Option("Only before this moment (RFC 3339).", flag="--to")]


class Log(msgspec.Struct, frozen=True):
    """Entries, the newest first."""

    entries: list[Shown]


class Written(msgspec.Struct, frozen=True):
    """The file that was written, and how many entries are in it."""

    file: str
    entries: int


async def show(
    call: Call,
    *,
    org: Org = None,
    actor: Actor = None,
    action: Action = None,
    target: Target = None,
    denied: Annotated[bool, Option("Only what was denied.")] = False,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, Option("Entries at most, up to 1000.")] = 50,
) -> Log:
    """Show the audit log of one organization or of the whole house, the newest first; that it is read is in it too."""
    if not 1 <= limit <= MOST_SHOWN:
        raise BadUsage(f"--limit is 1 to {MOST_SHOWN}")
    filters = Filters(_id(actor), action, _id(target), "denied" if denied else None, _moment(since), _moment(until))
    given = filters.given() | {"org": _org(org)}
    async with SystemWork(call, reason=OPERATOR, reading=True) as work:
        found = await queries.entries_of_anybody(work, after_key=None, after_id=None, rows=limit, **given)
    await _remember(call, "read", given["org"])
    return Log([shown(entry) for entry in found])


async def export(
    call: Call,
    *,
    file: Annotated[str, Option("Where to write to; nothing that is there is overwritten.")],
    org: Org = None,
    form: Annotated[str, Option("`csv` or `jsonl`.", flag="--format")] = "jsonl",
    since: Since = None,
    until: Until = None,
) -> Written:
    """Write the audit log into a file, the newest entry first."""
    if form not in {"csv", "jsonl"}:
        raise BadUsage("--format is csv or jsonl")
    given = Filters(since=_moment(since), until=_moment(until)).given() | {"org": _org(org)}
    counted = 0

    async def page(at: datetime | None, row_id: UUID | None) -> list[Entry]:
        nonlocal counted
        async with SystemWork(call, reason=OPERATOR, reading=True) as work:
            rows = exchanges.ROWS_A_PAGE
            found = await queries.entries_of_anybody(work, after_key=at, after_id=row_id, rows=rows, **given)
        counted += len(found)
        return found

    await _remember(call, "exported", given["org"])
    # a command waits for nothing else meanwhile
    with Path(file).open("xb") as out:  # noqa: ASYNC230
        async for lines in exchanges.written("csv" if form == "csv" else "jsonl", page):
            out.write(lines)
    return Written(file, counted)


async def verify(
    call: Call,
    *,
    seal: Annotated[str | None, Option("A seal that was kept elsewhere, as an earlier `last seal` said it.")] = None,
) -> Verdict:
    """Recompute every seal and every row under one, and name what was changed, removed or put in."""
    return await exchanges.verify_audit(call, known=seal)


async def _remember(call: Call, what: str, org: UUID | None) -> None:
    await remember(call, Doing(f"audit:log:{what}", "done", org, None if org is None else ("org", org)))
    # a command ends too soon for what is put off
    await settle(call.runtime)


def _org(text: str | None) -> UUID | None:
    if text is None:
        return None
    org = ORG_ID.read(text)
    if org is None:
        raise BadUsage(f"{text} is not the id of an organization")
    return org


def _id(text: str | None) -> UUID | None:
    if text is None:
        return None
    found = IdKind(text.partition("_")[0]).read(text)
    if found is None:
        raise BadUsage(f"{text} is not an id")
    return found


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return read_instant(text)
    except ValueError as error:
        raise BadUsage(f"{text} is not a moment") from error


def _broken(verdict: msgspec.Struct) -> bool:
    return isinstance(verdict, Verdict) and bool(verdict.faults)


commands = (
    Command("audit", "list", show),
    Command("audit", "export", export),
    Command("audit", "verify", verify, failed=_broken),
)
