"""What may be done with webhooks: one function a verb."""

from __future__ import annotations

from tenantry.webhooks.actions.ending import disable_endpoint, enable_endpoint
from tenantry.webhooks.actions.endpoints import change_endpoint, delete_endpoint, try_endpoint
from tenantry.webhooks.actions.fanning import fan_out, queue
from tenantry.webhooks.actions.forgetting import forget_some_of
from tenantry.webhooks.actions.making import LIMIT, NewSecret, create_endpoint
from tenantry.webhooks.actions.replaying import (
    REPLAY,
    replay_any_deliveries,
    replay_deliveries,
    replay_failed,
    replay_happened,
)
from tenantry.webhooks.actions.retention import kept_days, let_old_deliveries_go
from tenantry.webhooks.actions.retrying import retry_any_delivery, retry_delivery
from tenantry.webhooks.actions.rotation import rotate_secret
from tenantry.webhooks.actions.sealed import SEALED
from tenantry.webhooks.actions.tables import ORG_TABLES, TABLES

__all__ = [
    "LIMIT",
    "ORG_TABLES",
    "REPLAY",
    "SEALED",
    "TABLES",
    "NewSecret",
    "change_endpoint",
    "create_endpoint",
    "delete_endpoint",
    "disable_endpoint",
    "enable_endpoint",
    "fan_out",
    "forget_some_of",
    "kept_days",
    "let_old_deliveries_go",
    "queue",
    "replay_any_deliveries",
    "replay_deliveries",
    "replay_failed",
    "replay_happened",
    "retry_any_delivery",
    "retry_delivery",
    "rotate_secret",
    "try_endpoint",
]
