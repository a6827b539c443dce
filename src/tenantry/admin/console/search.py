"""One search over everything: an id leads to what it names, anything else to whom and what is called so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from tenantry.admin import actions
from tenantry.admin.console.frame import ORGS, PEOPLE, SEARCH, pages
from tenantry.admin.permissions import LOOK
from tenantry.foundation.data.ids import ORG_ID, USER_ID, IdKind
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.wire import Wire

MOST_FOUND = 10
"""What is shown of each kind; the page of that kind has the rest."""
PLACES: Mapping[IdKind, str] = {USER_ID: PEOPLE, ORG_ID: ORGS}


class Sought(Wire):
    """A part of an address or a name, or an id."""

    q: Annotated[str, Meta(max_length=254)] = ""


@pages.get(SEARCH, title="Search", template="admin_search", requires=LOOK)
async def search(work: OperatorWork, query: Sought) -> Values | SeeOther:
    """Look for people and organizations at once, or go to what an id names."""
    q = query.q.strip()
    for kind, place in PLACES.items():
        if kind.read(q) is not None:
            return SeeOther(f"{place}/{q}")
    if not q:
        return {"q": q, "people": [], "orgs": []}
    few = ListQuery(order="-created_at", limit=MOST_FOUND)
    people, _ = await actions.list_people(work, query=few, search=q, disabled=False)
    orgs, _ = await actions.list_orgs(work, query=few, search=q)
    return {"q": q, "people": people, "orgs": orgs}
