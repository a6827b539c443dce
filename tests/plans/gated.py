"""A domain whose operations ask the plan: a feature for one, room in a limit for the other."""

from __future__ import annotations

from tenantry.foundation.action import action
from tenantry.foundation.data.sql import value
from tenantry.foundation.domain import Domain
from tenantry.foundation.permission import MEMBERS, Permission
from tenantry.foundation.routes import Routes
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.plans import require_room, requires_feature

GATED = Permission("gated:write", "Do what the plan allows.", roles=MEMBERS)
SCHEMA = """
create table tenantry.projects (org_id uuid not null, id uuid default gen_random_uuid(), primary key (org_id, id));
grant select, insert on tenantry.projects to tenantry_app, tenantry_system;
"""
routes = Routes("gated")
projects = value(int, "select count(*) from tenantry.projects where org_id = tenantry.org()")
keep = value(int, "insert into tenantry.projects (org_id) values (tenantry.org()) returning 1")


class Done(Wire):
    """How many there are."""

    projects: int


@routes.post("/orgs/{org}/sign-on", requires=GATED, answer_example={"projects": 1})
@requires_feature("sso")
async def sign_on(work: OrgWork) -> Done:
    """Do what only some plans have."""
    return Done(projects=await projects(work) or 0)


@routes.post("/orgs/{org}/projects", requires=GATED, answer_example={"projects": 1})
async def make_project(work: OrgWork) -> Done:
    """Make one more, if there is room."""
    return Done(projects=await make(work))


@action(requires=GATED)
@requires_feature("exports")
async def make_export(work: OrgWork) -> None:
    """Make an export."""
    await keep(work)


async def make(work: OrgWork) -> int:
    await require_room(work, "projects", used=projects)
    await keep(work)
    return await projects(work) or 0


domain = Domain(name="gated", needs=("orgs", "plans"), routes=routes, permissions=(GATED,))
