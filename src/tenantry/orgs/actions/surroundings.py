"""Who looks at a page of the console, and where they can go from there."""

from __future__ import annotations

from uuid import UUID

from tenantry.accounts import queries as people
from tenantry.foundation.surroundings import Surroundings
from tenantry.foundation.work import PersonWork
from tenantry.orgs import queries

MOST_NAMED = 20
"""Organizations to go to, at most; the page of all of them has the rest."""


async def surroundings_of(work: PersonWork, org_id: UUID | None) -> Surroundings:
    """The person with their organizations by name, the one that the page is about among them."""
    oneself = await people.oneself(work)
    named = await queries.orgs_named(work, org_id=org_id, most=MOST_NAMED)
    org = next((one for one in named if one.id == org_id), None)
    by_name = tuple(sorted(named, key=lambda one: (one.name, one.id)))
    return Surroundings(name=oneself.name, email=oneself.email, org=org, orgs=by_name)
