"""Notes: everything this plugin brings."""

from pathlib import Path

from notes import actions, events, http, jobs, permissions, wraps
from tenantry import Domain

domain = Domain(
    name="notes",
    needs=("orgs",),
    core=">=0.0.1",
    events=events,
    permissions=permissions.ALL,
    routes=http.routes,
    jobs=jobs,
    around=(wraps.forget_private_notes,),
    tables=actions.TABLES,
    migrations=Path(__file__).parent / "migrations",
)
