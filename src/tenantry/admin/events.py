"""What can have happened to operators."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.events.event import Audited, Event


class OperatorAdded(Event, frozen=True):
    """A person was made an operator."""

    kind = "admin.operator_added"
    audited = Audited("admin:operator:added", target="user_id", shows=("role",))
    user_id: UUID
    role: str


class OperatorRoleChanged(Event, frozen=True):
    """An operator got another role."""

    kind = "admin.operator_role_changed"
    audited = Audited("admin:operator:role_changed", target="user_id", shows=("role",))
    user_id: UUID
    role: str


class OperatorRemoved(Event, frozen=True):
    """A person is no operator any more, and signed out as one."""

    kind = "admin.operator_removed"
    audited = Audited("admin:operator:removed", target="user_id")
    user_id: UUID


class OperatorSignedIn(Event, frozen=True):
    """An operator signed in as such."""

    kind = "admin.operator_signed_in"
    audited = Audited("admin:session:started", target="session_id")
    user_id: UUID
    session_id: UUID


class OperatorSignedOut(Event, frozen=True):
    """An operator signed out as such."""

    kind = "admin.operator_signed_out"
    audited = Audited("admin:session:ended", target="session_id")
    user_id: UUID
    session_id: UUID
