"""Organizations with people in them, closed and opened through the front door, and the hour of their purge."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import Role
from tenantry.foundation.work import OrgWork, SystemWork
from tenantry.orgs import actions
from tenantry.testing import Client, Installation, Response
from tenantry.testing.installation import PASSWORD


@dataclass(frozen=True)
class Place:
    """An organization, who founded it, and what it is called."""

    house: Installation
    id: str
    slug: str
    owner: Client

    @property
    def uuid(self) -> UUID:
        """Its id in the database."""
        found = ORG_ID.read(self.id)
        assert found is not None
        return found

    @property
    def path(self) -> str:
        return f"/v1/orgs/{self.id}"

    async def close(self, by: Client | None = None, *, slug: str | None = None) -> Response:
        """Ask to close it."""
        return await (by or self.owner).post(f"{self.path}/closure", {"slug": slug or self.slug})

    async def reopen(self, by: Client | None = None, *, slug: str | None = None) -> Response:
        """Ask to open it again."""
        return await (by or self.owner).delete(f"{self.path}/closure", body={"slug": slug or self.slug})

    async def joined(self, role: Role, who: Client | None = None) -> Client:
        """Somebody who is a member now, as an invite would make them."""
        person = who or await self.house.person()
        async with SystemWork(as_house(self.house), reason="a test of closing") as work:
            await actions.add_member(work, org_id=self.uuid, user_id=user_of(person), role=role)
        return person


async def founded(house: Installation, name: str = "Acme", owner: Client | None = None) -> Place:
    """An organization."""
    person = owner or await house.person()
    answer = await person.post("/v1/orgs", {"name": name})
    assert answer.status == 201, answer
    return Place(house, answer.json["id"], answer.json["slug"], person)


async def closed(house: Installation, name: str = "Acme", owner: Client | None = None) -> Place:
    """An organization that has just been closed."""
    place = await founded(house, name, owner)
    answer = await place.close()
    assert answer.status == 200, answer
    return place


def as_house(house: Installation) -> Call:
    """A call of the house itself."""
    return Call(house.runtime, Actor("job"), "a-job-of-a-test")


async def as_owner(place: Place, *, even_closed: bool = False) -> OrgWork:
    """A work of its founder in it."""
    claims = await place.house.runtime.keys.verify(place.owner.tokens["access_token"])
    session = "select id from tenantry.sessions where user_id = $1 and ended_at is null order by created_at desc"
    assert claims.sub == place.owner.user_id
    [found, *_] = await place.house.rows(session, user_of(place.owner))
    actor = Actor("person", user_of(place.owner), found["id"])
    return OrgWork(Call(place.house.runtime, actor, "a-call-of-a-test", even_closed=even_closed), place.uuid)


def user_of(person: Client) -> UUID:
    """The id in the database of a signed-in person."""
    found = USER_ID.read(person.user_id)
    assert found is not None
    return found


async def again(house: Installation, person: Client) -> Client:
    """The same person with a sign-in of now."""
    answer = await house.client.post("/v1/auth/login", {"email": person.email, "password": PASSWORD})
    assert answer.status == 200, answer
    return house.client.signed_in(answer.json)


async def purge(house: Installation) -> None:
    """Let the hour of the purge come, and do all that it asks for."""
    async with SystemWork(as_house(house), reason="a test of purging") as work:
        work.enqueue(NewJob("orgs.ask_for_purges"))
    await house.drain_jobs()
