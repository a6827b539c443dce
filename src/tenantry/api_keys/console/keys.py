"""The console's page of API keys: which there are, whose, and whether they are still used."""

from __future__ import annotations

from typing import Literal

from tenantry.api_keys import queries
from tenantry.api_keys.console.frame import KEYS, pages, shown
from tenantry.api_keys.models import KeyKind, KeyStatus
from tenantry.api_keys.permissions import API_KEYS_OWN, API_KEYS_READ
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.pages import Values
from tenantry.foundation.work import OrgWork

KINDS: tuple[KeyKind, ...] = ("personal", "service")
STATES: tuple[KeyStatus, ...] = ("live", "expired", "revoked")
NOTICES = {"revoked": "The API key is revoked; its next request is refused."}


class Keys(ListQuery):
    """The newest first; with a kind or a state only those that have it; and what was just done."""

    order: Literal["-created_at"] = "-created_at"
    kind: KeyKind | Literal[""] = ""
    status: KeyStatus | Literal[""] = ""
    done: str = ""


@pages.get(KEYS, title="API keys", template="api_keys", requires=API_KEYS_OWN)
async def keys_page(work: OrgWork, query: Keys) -> Values:
    """Show the API keys of the organization; to members who do not look after it, their own."""
    everybodys = work.may(API_KEYS_READ)
    given = {"kind": query.kind or None, "status": query.status or None}
    found, after = await queries.keys.read(work, query, everybodys=everybodys, **given)
    return {
        "keys": await shown(work, found),
        "everybodys": everybodys,
        "kinds": KINDS,
        "states": STATES,
        "asked": {"kind": query.kind, "status": query.status},
        "next": after,
        "notice": NOTICES.get(query.done),
    }
