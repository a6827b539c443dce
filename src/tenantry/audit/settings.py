"""The settings of the audit log."""

from __future__ import annotations

from typing import Annotated

import msgspec

from tenantry.settings import says


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long rows are kept where no plan says so."""

    audit_kept_days: Annotated[
        int, says("Days for which the audit log is kept, unless the plan says otherwise.", ge=1, le=36_500)
    ] = 365
