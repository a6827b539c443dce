"""Organizations: everything this domain brings."""

from __future__ import annotations

from pathlib import Path

from tenantry.accounts import actions as accounts
from tenantry.foundation.domain import Domain
from tenantry.foundation.surroundings import surroundings
from tenantry.orgs import actions, cli, console, events, history, http, jobs, pages, permissions, problems
from tenantry.orgs.settings import OrgSettings

domain = Domain(
    name="orgs",
    needs=("accounts",),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    settings=OrgSettings,
    routes=http.routes,
    pages=pages.pages,
    console=console.pages,
    jobs=jobs,
    story=cli.story,
    scale=cli.scale,
    commands=cli.commands,
    letters=Path(__file__).parent / "letters",
    tables=actions.TABLES,
    org_tables=actions.ORG_TABLES,
    folds=history.FOLDS,
    answers={
        surroundings: actions.surroundings_of,
        accounts.what_blocks_closing: actions.sole_ownerships,
        accounts.what_is_held: actions.what_is_held,
        accounts.role_of_member: actions.role_of,
        accounts.part_with: actions.part_with,
        accounts.invited_address: actions.invited_address,
        accounts.take_in: actions.take_in,
    },
)
