"""Accounts: everything this domain brings."""

from __future__ import annotations

from pathlib import Path

from tenantry.accounts import actions, cli, events, http, jobs, pages, problems
from tenantry.accounts.settings import AccountSettings
from tenantry.foundation.devices import device_used
from tenantry.foundation.domain import Domain

domain = Domain(
    name="accounts",
    events=events,
    problems=problems,
    settings=AccountSettings,
    routes=http.routes,
    pages=pages.pages,
    jobs=jobs,
    seed=cli.seed,
    scale=cli.scale,
    commands=cli.commands,
    sealed=(actions.sealed_exports,),
    letters=Path(__file__).parent / "letters",
    tables=actions.TABLES,
    answers={actions.what_is_held: actions.held_by_accounts, device_used: actions.use_session},
)
