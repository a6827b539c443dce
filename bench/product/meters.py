"""What the bench's product meters."""

from __future__ import annotations

from tenantry.foundation.meter import Meter

THINGS = Meter("things", unit="thing", sentence="Things that were made.", ingest=True)
