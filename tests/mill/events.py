"""What can have happened in the mill."""

from __future__ import annotations

from uuid import UUID

from tenantry import Audited, Event


class GrainBrought(Event):
    """Somebody brought grain."""

    kind = "mill.grain_brought"
    audited = Audited("mill:grain:brought", target="grain_id")
    grain_id: UUID


class FlourMade(Event):
    """Grain became flour."""

    kind = "mill.flour_made"
    audited = Audited("mill:flour:made", target="grain_id")
    grain_id: UUID
