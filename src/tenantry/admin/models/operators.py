"""Operators and their sessions, as rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from tenantry.foundation.permission import OPERATORS, OperatorRole

SESSION_LIFE = timedelta(hours=12)
"""An operator signs in again after this time at the latest."""
SESSION_IDLE = timedelta(hours=1)
"""An operator who does nothing for this time is signed out."""
NOTED_EVERY = timedelta(minutes=1)
"""That a session was used is written down once in this time."""
MOST_SESSIONS = 10
"""Sessions of one operator; with one more, the oldest ends."""


class Operator(msgspec.Struct, frozen=True):
    """A person who runs the installation, and in which role."""

    id: UUID
    email: str
    name: str
    role: OperatorRole
    granted_at: datetime


class Dropped(msgspec.Struct, frozen=True):
    """An operator's session that was just ended, and whose it was."""

    id: UUID
    user_id: UUID


def is_role(text: str) -> bool:
    """Whether operators have a role of that name."""
    return text in OPERATORS


def may_act_on(role: OperatorRole, other: OperatorRole | None) -> bool:
    """Whether an operator may do something to a person, who may be an operator with a role of their own."""
    return other is None or OPERATORS.index(role) >= OPERATORS.index(other)
