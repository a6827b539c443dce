"""An organization with somebody in each role, for tests of what each may do."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import JOB_ID, ORG_ID, USER_ID
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import Role
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.work import SystemWork
from tenantry.orgs import actions
from tenantry.testing.client import Client


class Team(msgspec.Struct, frozen=True):
    """An organization by its id, and a signed-in client for each role; the stranger belongs to none."""

    org: str
    owner: Client
    admin: Client
    member: Client
    stranger: Client

    @property
    def path(self) -> str:
        """Where the organization's operations begin."""
        return f"/v1/orgs/{self.org}"

    @property
    def people(self) -> Mapping[str, Client]:
        """Everybody by what they are here."""
        return {"owner": self.owner, "admin": self.admin, "member": self.member, "stranger": self.stranger}


async def add_member(runtime: Runtime, org: str, person: Client, role: Role) -> None:
    """Make somebody a member without an invite."""
    org_id, user_id = ORG_ID.read(org), USER_ID.read(person.user_id)
    if org_id is None or user_id is None:
        raise ValueError("an organization and a person are named by their ids")
    async with SystemWork(Call(runtime, Actor("cli"), "test-of-a-team"), reason="a test needs a member") as work:
        await actions.add_member(work, org_id=org_id, user_id=user_id, role=role)


async def ask_for(runtime: Runtime, org: str, person: Client, job: NewJob) -> str:
    """Ask for a job as a member would by some verb; the id that they would be told."""
    actor = Actor("person", person=USER_ID.read(person.user_id), org=ORG_ID.read(org))
    async with SystemWork(Call(runtime, actor, "test-of-a-job"), reason="a test asks for a job") as work:
        return JOB_ID.text(work.enqueue(job))
