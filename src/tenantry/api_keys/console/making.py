"""The console's page on which an API key is made; what it shows of it last is the secret."""

from __future__ import annotations

from msgspec import UNSET

from tenantry.api_keys import actions
from tenantry.api_keys.console.asked import Wanted, beginning, choices, networks
from tenantry.api_keys.console.frame import NEW, pages, receipt
from tenantry.api_keys.models import PERSONAL_LIFE, KeyKind
from tenantry.api_keys.permissions import API_KEYS_OWN, API_KEYS_WRITE
from tenantry.foundation.pages import Receipt, Values
from tenantry.foundation.work import OrgWork

KINDS = [("personal", "Personal: yours, and it ends with you"), ("service", "Service: the organization's")]


class NewKey(Wanted):
    """A new key: also whose it is."""

    kind: KeyKind = "personal"


@pages.get(NEW, title="New API key", template="api_key_new", requires=API_KEYS_OWN)
async def new_key_page(work: OrgWork) -> Values:
    """Show what an API key can be."""
    kinds = KINDS if work.may(API_KEYS_WRITE) else KINDS[:1]
    return {"kinds": kinds, "personal_days": PERSONAL_LIFE.days, **choices(work)}


@pages.post(NEW, requires=API_KEYS_OWN)
async def make_key(work: OrgWork, form: NewKey) -> Receipt:
    """Make an API key, and show its secret this once."""
    made = await actions.create_key(
        work,
        name=form.name,
        scopes=form.scopes,
        kind=form.kind,
        addresses=networks(form.addresses),
        expires_at=UNSET if form.expires_at is None else beginning(form.expires_at),
    )
    return receipt(work, made)
