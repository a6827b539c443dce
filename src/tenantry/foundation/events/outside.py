"""Events as they are told outside, to members and their webhooks: ids say what they name, and nothing of ours is in it.

What an id names is known by the name of its field and the kinds of ids that are declared (`data/ids.py`); one that no
kind claims stays as it is. Positions in the log are never told: they count what happens in the whole house.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from tenantry.foundation.call import Actor
from tenantry.foundation.data.ids import IdKind, kind_of_field

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_payload = msgspec.json.Decoder(dict[str, Any])
_actor = msgspec.json.Decoder(Actor)
_details = msgspec.json.Decoder(dict[str, str | None])


def data_outside(payload: str) -> dict[str, Any]:
    """What an event says, its ids in the form that leaves the house."""
    return outside(_payload.decode(payload))


def outside(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A payload, its ids in the form that leaves the house."""
    return {name: _outside(kind_of_field(name), value) for name, value in payload.items()}


def actor_of(actor: str) -> Actor:
    """Who acted, from the form that is written beside an event."""
    return _actor.decode(actor)


def details_outside(named: str | None) -> dict[str, str | None] | None:
    """What is personal about an event; None for one without, or whose details are erased."""
    return None if named is None else _details.decode(named)


def _outside(kind: IdKind | None, value: Any) -> Any:
    # what is called like an id need not be one: `granted_by` may say "plan"
    is_id = kind is not None and isinstance(value, str) and _UUID.fullmatch(value)
    return kind.text(UUID(value)) if kind is not None and is_id else value
