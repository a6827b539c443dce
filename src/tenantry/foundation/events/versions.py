"""Versions of payloads: an older one is brought up to its event's fields before anybody reads it.

What was written stays as it was written; `Event.upcasts` says how the payload of each version becomes that of the next.
Not here: events of a kind that nobody declares, which stay as they are.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from tenantry.foundation.events.event import Event

Kind = TypeVar("Kind", bound=Event)


class Unreadable(Exception):
    """A payload that this release can make nothing of; the sentence says which event's and why, and no value of it."""


class TooNew(Unreadable):
    """A payload of a version that a later release writes, which is probably being rolled out."""


def read_payload(kind: type[Kind], version: int, payload: str | bytes) -> Kind:
    """The event that a payload of this version says; Unreadable where it says none."""
    if version > kind.version:
        raise TooNew(f"{kind.kind} of version {version}, and this release knows {kind.version}")
    try:
        if version == kind.version:
            return msgspec.json.decode(payload, type=kind)
        return msgspec.convert(upcast(kind, version, msgspec.json.decode(payload)), kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        # without its text, which quotes what is in the payload
        raise Unreadable(f"{kind.kind} of version {version}: {type(error).__name__}") from None


def upcast(kind: type[Event], version: int, payload: dict[str, object]) -> dict[str, object]:
    """The payload of an older version as one of the event's own."""
    for older in range(version, kind.version):
        step = kind.upcasts.get(older)
        if step is None:
            raise Unreadable(f"{kind.kind} says nothing about how version {older} becomes {older + 1}")
        try:
            payload = step(payload)
        # it meets what nobody thought of when it was written
        except Exception as error:  # noqa: BLE001
            what = f"{kind.kind} of version {version}: the step from {older} raised {type(error).__name__}"
            raise Unreadable(what) from None
    return payload
