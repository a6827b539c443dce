"""An entry of the audit log, as its reader sees it: ids spelled out, and what is personal, or null once erased."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from tenantry.foundation.data.ids import EVENT_ID, IdKind, kind_of_field

Outcome = Literal["done", "denied"]
Format = Literal["csv", "jsonl"]
AUDIT_ID = IdKind("aud")
LINK_ID = IdKind("axp", "link_id")
EXPORT_LIFE = timedelta(hours=1)
"""A link to the audit log as a file."""
MOST_ROWS = 20_000
"""Rows of the audit log in one file: what is surely made within the time of one request, which uses the link up."""
MOST_LINKS = 20
"""Links to files of the audit log that one person may have and not have used, in one organization."""
# what a reader recognizes a thing by, the first that is said of it
LABELS = ("email", "name", "slug")
WAS = "_was"


class Filters(msgspec.Struct, frozen=True):
    """Which entries are asked for; all of them where nothing is said."""

    actor: UUID | None = None
    action: str | None = None
    target: UUID | None = None
    outcome: Outcome | None = None
    since: datetime | None = None
    until: datetime | None = None

    def given(self) -> dict[str, Any]:
        """As statements take them."""
        return msgspec.structs.asdict(self)


class Export(msgspec.Struct, frozen=True):
    """A link that was just used: in which form, which entries, and of which moment."""

    format: Format
    filters: str
    asked_at: datetime


class Entry(msgspec.Struct, frozen=True):
    """A row of the log with what stands beside it; JSON as text."""

    id: UUID
    at: datetime
    org_id: UUID | None
    action: str
    outcome: Outcome
    times: int
    actor_kind: str
    actor_id: UUID | None
    actor_name: str | None
    on_behalf_of: UUID | None
    target_kind: str | None
    target_id: UUID | None
    target_name: str | None
    request_id: str
    before: str | None
    after: str | None
    whereabouts: str | None
    said: str | None
    is_event: bool


class Shown(msgspec.Struct, frozen=True):
    """An entry as it leaves the house."""

    id: str
    at: datetime
    org: str | None
    action: str
    outcome: Outcome
    times: int
    actor: Mapping[str, str | None]
    on_behalf_of: str | None
    target: Mapping[str, str | None] | None
    address: str | None
    user_agent: str | None
    request_id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def shown(entry: Entry) -> Shown:
    """An entry as anybody who may read it sees it."""
    said, place = _object(entry.said), _object(entry.whereabouts)
    now = {name: text for name, text in said.items() if not name.endswith(WAS)}
    earlier = {name.removesuffix(WAS): text for name, text in said.items() if name.endswith(WAS)}
    label = next((now[name] for name in LABELS if now.get(name)), entry.target_name)
    return Shown(
        id=(EVENT_ID if entry.is_event else AUDIT_ID).text(entry.id),
        at=entry.at,
        org=_id("org", entry.org_id),
        action=entry.action,
        outcome=entry.outcome,
        times=entry.times,
        actor={"kind": entry.actor_kind, "id": _actor_id(entry), "name": entry.actor_name},
        on_behalf_of=_id("user", entry.on_behalf_of),
        target=_target(entry, label),
        address=place.get("address"),
        user_agent=place.get("user_agent"),
        request_id=entry.request_id,
        before=(_object(entry.before) | earlier) or None,
        after=(_object(entry.after) | now) or None,
    )


def _actor_id(entry: Entry) -> str | None:
    return _id("api_key" if entry.actor_kind == "api_key" else "user", entry.actor_id)


def _target(entry: Entry, label: str | None) -> Mapping[str, str | None] | None:
    if entry.target_kind is None:
        return None
    return {"kind": entry.target_kind, "id": _id(entry.target_kind, entry.target_id), "label": label}


def _id(thing: str, value: UUID | None) -> str | None:
    """An id as others know it; of a kind that has no name outside, as it is."""
    kind = kind_of_field(f"{thing}_id")
    return None if value is None else str(value) if kind is None else kind.text(value)


def _object(text: str | None) -> dict[str, Any]:
    return {} if text is None else msgspec.json.decode(text, type=dict[str, Any])
