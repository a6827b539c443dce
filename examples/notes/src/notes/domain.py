"""Notes: everything this plugin brings."""

from pathlib import Path

from notes import actions, console, events, http, jobs, permissions, queries, wraps
from tenantry import Domain, FlagDeclaration, Quota

domain = Domain(
    name="notes",
    needs=("orgs",),
    core=">=0.0.1",
    events=events,
    permissions=permissions.ALL,
    routes=http.routes,
    console=console.pages,
    jobs=jobs,
    around=(wraps.forget_private_notes,),
    quotas=(Quota(limit="notes", title="Notes", used=queries.how_many),),
    flags=(FlagDeclaration("notes.sharing", "Whether notes can be shared.", default=True),),
    tables=actions.TABLES,
    migrations=Path(__file__).parent / "migrations",
)
