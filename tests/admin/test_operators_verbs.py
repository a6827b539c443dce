"""The verbs of operators: nobody else may use them, however they are reached."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tenantry.admin import actions
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID, new_id
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.work import PersonWork
from tenantry.testing import Installation

ID, QUERY = new_id(), ListQuery(order="-created_at")
OF_OPERATORS: dict[Any, dict[str, Any]] = {
    actions.list_people: {"query": QUERY, "search": None, "disabled": False},
    actions.look_at_person: {"user_id": ID},
    actions.look_at_devices: {"user_id": ID, "query": ListQuery(order="-last_used_at")},
    actions.list_orgs: {"query": QUERY, "search": None},
    actions.look_at_org: {"org_id": ID},
    actions.look_at_insights: {"since": date(2026, 1, 1), "until": date(2026, 1, 2)},
    actions.mail_reset: {"user_id": ID},
    actions.keep_person_out: {"user_id": ID, "why": "x", "until": None},
    actions.sign_person_out: {"user_id": ID},
    actions.sign_operators_out: {"user_id": ID},
}


@pytest.mark.parametrize("verb", OF_OPERATORS, ids=lambda verb: verb.__name__)
async def test_a_person_may_use_none_of_the_operators_verbs(house: Installation, verb: Any) -> None:
    person = await house.person()
    claims = await house.runtime.keys.verify(person.tokens["access_token"])
    actor = Actor("person", USER_ID.read(claims.sub), SESSION_ID.read(claims.sid))
    async with PersonWork(Call(house.runtime, actor, "request-of-a-test")) as work:
        with pytest.raises(Forbidden):
            await verb(work, **OF_OPERATORS[verb])
