"""The audit trail: the row that an audited event leaves beside it in the same commit, and the one that a denial leaves.

An audit row has the id of its event. It says who did what to which thing, on whose behalf and by which request; where
from is personal and stands in the details. Not here: reading the trail, which is the domain `audit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from tenantry.foundation.call import OPERATOR, Call
from tenantry.foundation.events.details import Details
from tenantry.foundation.events.event import Audited, Event

LONGEST_AGENT = 512
"""Characters of a user agent that the audit log keeps."""
_text = msgspec.json.Encoder().encode


def whereabouts(call: Call, whom: UUID | None = None, email_key: str | None = None) -> Details | None:
    """Where an actor was, as far as their request told; it is theirs to have erased.

    Of somebody who had not signed in it is the person's whose account it was about (`whom`), or goes with the address.
    """
    if not call.source and not call.agent:
        return None
    person = call.actor.person or (call.actor.on_behalf_of if call.actor.key else whom)
    where = {"address": call.source or None, "user_agent": _readable(call.agent)}
    return Details(where, person=person, email_key=None if person else email_key)


def _readable(agent: str) -> str | None:
    """A user agent as anybody may read it, on a terminal too; what steers one is spelled out."""
    short = agent[:LONGEST_AGENT]
    if short.isprintable():
        return short or None
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in short)


def audit_row(
    event: Event, audited: Audited, call: Call, public_id: UUID, was: Mapping[str, Any] | None
) -> tuple[Any, ...]:
    """What an audited event leaves in the log; the digests of its details come last and are the bundle's to add."""
    target = audited.target
    shown = {name: getattr(event, name) for name in audited.shows}
    return (
        *(public_id, event.org(), event.person(), audited.action, "denied" if audited.denied else "done"),
        *acting(call),
        *(audited.thing or (target and target.removesuffix("_id")), target and getattr(event, target)),
        *(_text(was).decode() if was else None, _text(shown).decode() if shown else None, call.request_id),
    )


def noted_row(
    call: Call, row_id: UUID, action: str, target: tuple[str, UUID] | None, after: Mapping[str, Any]
) -> tuple[Any, ...]:
    """What is left in the log by something that is no event."""
    return (
        *(row_id, call.actor.org, call.actor.person, action, "done"),
        *acting(call),
        *(target or (None, None)),
        *(None, _text(after).decode(), call.request_id),
    )


def acting(call: Call) -> tuple[str, UUID | None, str | None, UUID | None, UUID | None]:
    """Who acts, as columns: kind, person, name, session, and on whose behalf the house does."""
    actor = call.actor
    if actor.kind in ("person", OPERATOR):
        return actor.kind, actor.person, actor.name, actor.session, actor.on_behalf_of
    if actor.key is not None:
        return actor.kind, actor.key, actor.name, None, actor.on_behalf_of
    return actor.kind, None, actor.name, actor.session, actor.on_behalf_of or actor.person
