"""What can have happened in the bench's product."""

from __future__ import annotations

from uuid import UUID

from tenantry.foundation.events.event import Audited, Event


class ThingMade(Event, frozen=True):
    """A member made a thing; two handlers listen, and the audit log has it."""

    kind = "bench.thing_made"
    audited = Audited("bench:thing:made", target="thing_id", shows=("size",))
    org_id: UUID
    user_id: UUID
    thing_id: UUID
    size: int


class WordSaid(Event, frozen=True):
    """Something was said, to nobody in particular: an event and nothing else."""

    kind = "bench.word_said"
    number: int
