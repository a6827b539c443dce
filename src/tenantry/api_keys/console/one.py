"""The console's page of one API key: all that is known of it, and how it changes, gets another secret and ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import UNSET, UnsetType

from tenantry.api_keys import actions, queries
from tenantry.api_keys.console.asked import Wanted, beginning, choices, networks
from tenantry.api_keys.console.frame import IDS, KEYS, ONE, at, may_change, may_revoke, pages, receipt, shown
from tenantry.api_keys.inputs import Overlap
from tenantry.api_keys.models import LONGEST_OVERLAP, OVERLAP, Key
from tenantry.api_keys.permissions import API_KEYS_OWN, API_KEYS_READ
from tenantry.foundation.pages import Receipt, SeeOther, Values
from tenantry.foundation.problems import NotFound
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork

USUAL = int(OVERLAP.total_seconds())
OVERLAPS = [
    (0, "not at all"),
    (3600, "for an hour"),
    (USUAL, "for a day"),
    (int(LONGEST_OVERLAP.total_seconds()), "for a week"),
]
NOTICES = {"changed": "The API key is changed."}


class Done(Wire):
    """What was just done, to say so."""

    done: str = ""


class Changed(Wanted, kw_only=True):
    """What the key is from now on, and the version of it that was looked at."""

    version: int


class Rotation(Wire):
    """For how long the secret before opens what it opened."""

    overlap_seconds: Overlap = USUAL


@pages.get(ONE, title="API key", template="api_key", requires=API_KEYS_OWN, ids=IDS)
async def key_page(work: OrgWork, key: UUID, query: Done) -> Values:
    """Show an API key."""
    found = await _the_key(work, key)
    [values] = await shown(work, [found])
    options = choices(work)
    within = {scope.name for scopes in options["groups"].values() for scope in scopes}
    return {
        **values,
        **options,
        "lost": [scope for scope in found.scopes if scope not in within],
        "may_change": may_change(work, found),
        "may_revoke": may_revoke(work, found),
        "overlaps": OVERLAPS,
        "usual": USUAL,
        "notice": NOTICES.get(query.done),
    }


@pages.post(ONE, requires=API_KEYS_OWN, ids=IDS)
async def change_key(work: OrgWork, key: UUID, form: Changed) -> SeeOther:
    """Change what an API key is called, may do, may be used from, and when it ends."""
    found = await _the_key(work, key)
    await actions.change_key(
        work,
        key_id=key,
        version=form.version,
        name=form.name,
        scopes=form.scopes,
        addresses=networks(form.addresses),
        expires_at=_end(found, form),
    )
    return SeeOther(at(ONE, work.org, key=key, done="changed"))


@pages.post(f"{ONE}/rotation", of=ONE, requires=API_KEYS_OWN, ids=IDS)
async def rotate_key(work: OrgWork, key: UUID, form: Rotation) -> Receipt:
    """Give an API key another secret, and show it this once."""
    return receipt(work, await actions.rotate_key(work, key_id=key, overlap=timedelta(seconds=form.overlap_seconds)))


@pages.post(f"{ONE}/revocation", of=ONE, requires=API_KEYS_OWN, ids=IDS, even_restricted=True)
async def revoke_key(work: OrgWork, key: UUID) -> SeeOther:
    """Revoke an API key."""
    await actions.revoke_key(work, key_id=key)
    return SeeOther(at(KEYS, work.org, done="revoked"))


async def _the_key(work: OrgWork, key_id: UUID) -> Key:
    found = await queries.key_if_any(work, key_id=key_id, everybodys=work.may(API_KEYS_READ))
    if found is None:
        raise NotFound
    return found


def _end(found: Key, form: Changed) -> datetime | UnsetType | None:
    """When the key shall end; a day that nobody changed leaves the moment as it is."""
    day = None if found.expires_at is None else found.expires_at.date()
    if form.expires_at == day:
        return UNSET
    return None if form.expires_at is None else beginning(form.expires_at)
