"""What is told of events outside by webhooks: their types, and payloads as they were in the versions before.

An event is told in the newest version that had come by a day, so that a receiver that was written then reads it for
as long as it likes. Here is what that takes of an event's declaration; how a message is made of it is webhooks' own.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any
from uuid import UUID

import msgspec

from tenantry.foundation.events.event import Event
from tenantry.foundation.events.versions import Unreadable

TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


def version_on(kind: type[Event], day: date) -> int:
    """The newest version of a kind that had come by a day."""
    return max((version for version, came in kind.since.items() if came <= day), default=1)


def payload_in(event: Event, version: int) -> dict[str, Any]:
    """What an event says, as its payload was in an earlier version or is in its own; Unreadable where it was not."""
    payload: dict[str, Any] = msgspec.to_builtins(event)
    for newer in range(event.version, version, -1):
        try:
            payload = event.downcasts[newer - 1](payload)
        # it meets what nobody thought of when it was written
        except Exception as error:  # noqa: BLE001
            what = f"{event.kind}: the step from version {newer} back to {newer - 1} raised {type(error).__name__}"
            raise Unreadable(what) from None
    return payload


def shape_of(kind: type[Event], version: int) -> type[msgspec.Struct]:
    """The fields of a kind's payload in one of its versions."""
    return kind if version == kind.version else kind.earlier[version]


def fault_of(kind: type[Event]) -> str | None:
    """What keeps a kind from being told as it is declared; none where nothing does."""
    if kind.webhook is None:
        return None
    if TYPE.fullmatch(kind.webhook) is None:
        return f"is told as {kind.webhook!r}, which is no type: words between dots"
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    if fields.get("org_id") is not UUID:
        return f"is told as {kind.webhook}, and says in no org_id whom"
    if hidden := fields.keys() & {"since", "downcasts", "earlier"}:
        return f"is told, and its field {min(hidden)} hides what is said of its versions"
    return _fault_of_versions(kind)


def _fault_of_versions(kind: type[Event]) -> str | None:
    before = set(range(1, kind.version))
    if set(kind.since) != {version + 1 for version in before}:
        return f"is told, and `since` does not say of each version from 2 to {kind.version} when it came"
    if [kind.since[version] for version in sorted(kind.since)] != sorted(kind.since.values()):
        return "is told, and a version of it came before the one before"
    if set(kind.downcasts) != before:
        return "is told, and `downcasts` does not lead back to each version before"
    if set(kind.earlier) != before:
        return "is told, and `earlier` does not have the fields of each version before"
    return None
