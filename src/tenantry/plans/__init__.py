"""Plans: what each of them has, which one an organization is on, and what it may do therefore."""

from __future__ import annotations

from tenantry.plans.actions import require_feature, require_room, require_within, requires_feature

__all__ = ["require_feature", "require_room", "require_within", "requires_feature"]
