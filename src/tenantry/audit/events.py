"""What can have happened to the audit log itself: it was taken away as a file."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from tenantry.foundation.events.event import Audited, Event


class AuditExportAsked(Event, frozen=True):
    """A person asked for a link to the audit log as a file."""

    kind = "audit.export_asked"
    audited = Audited("audit:export:asked", target="link_id", shows=("format",))
    webhook = "audit_export.asked"
    org_id: UUID
    user_id: UUID
    link_id: UUID
    format: Literal["csv", "jsonl"]


class AuditExportTaken(Event, frozen=True):
    """A person took the audit log away as a file; the link is dead."""

    kind = "audit.export_taken"
    audited = Audited("audit:export:taken", target="link_id", shows=("format",))
    webhook = "audit_export.taken"
    org_id: UUID
    user_id: UUID
    link_id: UUID
    format: Literal["csv", "jsonl"]
