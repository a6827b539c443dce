"""Customer webhooks: everything this domain brings."""

from __future__ import annotations

from pathlib import Path

from tenantry.foundation.domain import Domain
from tenantry.foundation.quota import Quota
from tenantry.webhooks import (
    actions,
    cli,
    console,
    events,
    history,
    http,
    jobs,
    permissions,
    problems,
    queries,
    sending,
)
from tenantry.webhooks.settings import WebhookSettings

domain = Domain(
    name="webhooks",
    needs=("accounts", "orgs", "plans"),
    events=events,
    problems=problems,
    permissions=permissions.ALL,
    settings=WebhookSettings,
    routes=http.routes,
    console=console.pages,
    jobs=jobs,
    letters=Path(__file__).parent / "letters",
    commands=cli.commands,
    sealed=actions.SEALED,
    tables=actions.TABLES,
    org_tables=actions.ORG_TABLES,
    folds=history.FOLDS,
    quotas=(Quota(limit=actions.LIMIT, title="Webhook endpoints", used=queries.live_endpoints),),
    beside=(sending.send,),
)
