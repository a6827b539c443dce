"""The two verbs of the bench's product."""

from __future__ import annotations

from uuid import UUID

from bench.product.events import ThingMade, WordSaid
from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import run
from tenantry.foundation.events.details import Details
from tenantry.foundation.permission import ANYONE, HOUSE
from tenantry.foundation.work import OrgWork, SystemWork

NAME = "a thing of the usual length"
keep_thing = run("insert into bench.things (org_id, id, name) values (:org_id, :id, :name)")


@action(requires=ANYONE, records=ThingMade)
async def make_thing(work: OrgWork) -> UUID:
    """Keep a thing, and say so with all that an event can have beside it."""
    thing = new_id()
    await keep_thing(work, org_id=work.org, id=thing, name=NAME)
    made = ThingMade(org_id=work.org, user_id=work.person, thing_id=thing, size=len(NAME))
    work.record(made, details=Details({"name": NAME}, person=work.person))
    return thing


@action(requires=HOUSE, records=WordSaid)
async def say(work: SystemWork, *, numbers: range) -> None:
    """Record an event for each number."""
    for number in numbers:
        work.record(WordSaid(number=number))
