"""A domain whose operations ask the plan: a feature for one, room in a limit for the other."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import msgspec

from tenantry.foundation.action import action
from tenantry.foundation.data.ids import IdKind
from tenantry.foundation.data.sql import many, run, value
from tenantry.foundation.domain import Domain
from tenantry.foundation.permission import MEMBERS, Permission
from tenantry.foundation.problems import NotFound, PlanNeeded
from tenantry.foundation.routes import Routes
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.plans import require_room, require_within, requires_feature

GATED = Permission("gated:write", "Do what the plan allows.", roles=MEMBERS)
PROJECTS_WRITE = Permission("projects:write", "Rename projects, and delete them.", roles=MEMBERS)
SCHEMA = """
create schema projects;
create table projects.projects (
    org_id uuid not null, id uuid default gen_random_uuid(), name text not null default 'new',
    created_at timestamptz not null default clock_timestamp(), primary key (org_id, id)
);
grant usage on schema projects to tenantry_app, tenantry_system;
grant select, insert, update, delete on projects.projects to tenantry_app, tenantry_system;
"""
routes = Routes("gated")
PROJECT_ID = IdKind("prj", "project_id")
projects = value(int, "select count(*) from projects.projects where org_id = tenantry.org()")
keep = value(int, "insert into projects.projects (org_id) values (tenantry.org()) returning 1")


class Project(msgspec.Struct, frozen=True):
    """Something of which a plan allows so many."""

    id: UUID
    name: str


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


# as the guide has it
place_of_project = value(
    int,
    """
    select count(*)
      from projects.projects as one
      join projects.projects as other on other.org_id = one.org_id
                                     and (other.created_at, other.id) <= (one.created_at, one.id)
     where one.org_id = tenantry.org()
       and one.id = :project_id
    """,
)


@action(requires=PROJECTS_WRITE)
async def rename_project(work: OrgWork, *, project_id: UUID, name: str) -> None:
    await require_within(work, "projects", place=partial(place_of_project, project_id=project_id))
    if not await set_name(work, project_id=project_id, name=name):
        raise NotFound


# and so far

set_name = run("update projects.projects set name = :name where org_id = tenantry.org() and id = :project_id")
drop = run("delete from projects.projects where org_id = tenantry.org() and id = :project_id")
named = many(
    Project, "select id, name from projects.projects where org_id = tenantry.org() order by created_at, id limit 100"
)


class NewName(Wire):
    """What to call it."""

    name: str


class ProjectView(Wire):
    """A project."""

    id: str
    name: str


class ProjectList(Wire):
    """All of them, the oldest first."""

    items: list[ProjectView]


@routes.get("/orgs/{org}/projects", requires=GATED, answer_example={"items": [{"id": "prj_1", "name": "new"}]})
async def read_projects(work: OrgWork) -> ProjectList:
    """The projects there are."""
    return ProjectList(items=[ProjectView(id=PROJECT_ID.text(one.id), name=one.name) for one in await named(work)])


@routes.patch(
    "/orgs/{org}/projects/{project}",
    requires=PROJECTS_WRITE,
    ids={"project": PROJECT_ID},
    status=204,
    problems=(PlanNeeded,),
    example={"name": "other"},
)
async def change_project(work: OrgWork, project: UUID, body: NewName) -> None:
    """Rename one."""
    await rename_project(work, project_id=project, name=body.name)


@routes.delete("/orgs/{org}/projects/{project}", requires=PROJECTS_WRITE, ids={"project": PROJECT_ID}, status=204)
async def delete_project(work: OrgWork, project: UUID) -> None:
    """Delete one."""
    if not await drop(work, project_id=project):
        raise NotFound


domain = Domain(name="gated", needs=("orgs", "plans"), routes=routes, permissions=(GATED, PROJECTS_WRITE))
