"""The console's page of the audit log: who did what, to what, when and from where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from tenantry.audit import exchanges
from tenantry.audit.console.frame import LOG, Chosen, Typed, filters, pages, typed
from tenantry.audit.models import Entry, shown
from tenantry.audit.permissions import AUDIT_READ
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.pages import Values

OUTCOMES: tuple[tuple[Chosen, str], ...] = (("", "all"), ("done", "done"), ("denied", "denied"))


class Log(ListQuery):
    """The newest first; every filter narrows."""

    order: Literal["-at"] = "-at"
    actor: Typed = ""
    action: Typed = ""
    target: Typed = ""
    outcome: Chosen = ""
    since: Typed = msgspec.field(default="", name="from")
    until: Typed = msgspec.field(default="", name="to")


@pages.get(LOG, title="Audit log", template="audit_log", requires=AUDIT_READ)
async def log_page(call: Call, query: Log) -> Values:
    """Show what was done in the organization, and denied in it; that it was read is written down too."""
    found, after = await exchanges.read_log(call, query=query, filters=filters(query, "query"))
    return {
        "entries": [_row(entry) for entry in found],
        "asked": typed(query),
        "outcomes": OUTCOMES,
        "next": after,
    }


def _row(entry: Entry) -> Values:
    said = shown(entry)
    actor, target = said.actor, said.target or {}
    return {
        "entry": said,
        "who": actor["name"] or actor["id"] or actor["kind"],
        # what a program did is not found by its id
        "actor": actor["id"] if (actor["id"] or "").startswith(USER_ID.start) else None,
        "what": target.get("label") or target.get("id"),
        "target": target.get("id"),
        "changes": list(_changes(said.before or {}, said.after or {})),
    }


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What each fact was and is, as text."""
    for name in dict.fromkeys([*before, *after]):
        yield name.replace("_", " "), _text(before.get(name)), _text(after.get(name))


def _text(fact: Any) -> str:
    if fact is None:
        return ""
    return fact if isinstance(fact, str) else msgspec.json.encode(fact).decode()
