"""The settings of webhooks."""

from __future__ import annotations

from typing import Annotated

import msgspec

from tenantry.settings import says


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long it is kept what was sent to endpoints, where no plan says so."""

    webhook_kept_days: Annotated[
        int,
        says("Days for which webhook deliveries and attempts are kept, unless the plan says otherwise.", ge=1, le=92),
    ] = 30
