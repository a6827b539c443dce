"""The mill: everything this plugin brings."""

from __future__ import annotations

from pathlib import Path

from mill import events, jobs
from tenantry import Domain
from tenantry.foundation.fate import kept

domain = Domain(
    name="mill",
    core=">=0.0.1",
    events=events,
    jobs=jobs,
    tables={table: kept("of nobody") for table in ("grains", "flour", "rings", "tally")},
    migrations=Path(__file__).parent / "migrations",
)
