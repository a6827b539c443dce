"""The console's page of an organization's settings: what it is called, and how it is closed."""

from __future__ import annotations

from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.text import Name
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.orgs import actions, queries
from tenantry.orgs.console.frame import SETTINGS, Done, at, pages
from tenantry.orgs.permissions import ORG_CLOSE, ORG_WRITE

NOTICES = {
    "renamed": "The organization is renamed.",
    "closed": "The organization is closed.",
    "opened": "The organization is open again.",
}


class Naming(Wire):
    """What the organization is called from now on, and the version that was looked at."""

    name: Name
    slug: str
    version: int


class OwnSlug(Wire):
    """The organization's slug, typed once more."""

    typed: str


@pages.get(SETTINGS, title="Settings", template="settings", requires=ORG_WRITE, even_closed=True)
async def settings_page(work: OrgWork, query: Done) -> Values:
    """Show what can be set about the organization."""
    org = await queries.org(work, role=work.role)
    return {"org": org, "may_close": work.may(ORG_CLOSE), "notice": NOTICES.get(query.done)}


@pages.post(SETTINGS, requires=ORG_WRITE, even_closed=True)
async def rename(work: OrgWork, form: Naming) -> SeeOther:
    """Rename the organization."""
    await actions.change_org(work, name=form.name, slug=form.slug, version=form.version)
    return SeeOther(at(SETTINGS, work.org, done="renamed"))


@pages.post(f"{SETTINGS}/closure", of=SETTINGS, requires=ORG_CLOSE, even_restricted=True)
async def close(work: OrgWork, form: OwnSlug) -> SeeOther:
    """Close the organization."""
    await actions.close_org(work, slug=form.typed)
    return SeeOther(at(SETTINGS, work.org, done="closed"))


@pages.post(f"{SETTINGS}/opening", of=SETTINGS, requires=ORG_CLOSE, even_closed=True, even_restricted=True)
async def reopen(work: OrgWork, form: OwnSlug) -> SeeOther:
    """Open the closed organization again."""
    await actions.reopen_org(work, slug=form.typed)
    return SeeOther(at(SETTINGS, work.org, done="opened"))
