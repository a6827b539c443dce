"""Accounts: everything this domain brings."""

from __future__ import annotations

from pathlib import Path

from tenantry.accounts import cli, events, http, jobs, problems
from tenantry.accounts.settings import AccountSettings
from tenantry.foundation.domain import Domain

domain = Domain(
    name="accounts",
    events=events,
    problems=problems,
    settings=AccountSettings,
    routes=http.routes,
    jobs=jobs,
    seed=cli.seed,
    letters=Path(__file__).parent / "letters",
)
