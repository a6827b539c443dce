"""Memos: everything this plugin brings."""

from __future__ import annotations

from pathlib import Path

from memos import actions, events, http, jobs, problems
from tenantry import Domain

domain = Domain(
    name="memos",
    needs=("accounts",),
    core=">=0.0.1",
    events=events,
    problems=problems,
    routes=http.routes,
    jobs=jobs,
    tables=actions.TABLES,
    migrations=Path(__file__).parent / "migrations",
)
