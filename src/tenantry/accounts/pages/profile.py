"""The page of one's profile."""

from __future__ import annotations

from tenantry.accounts import actions, queries
from tenantry.accounts.pages.forms import Done, pages
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.text import Locale, Name, TimeZone, check_zone, zones
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork

NOTICES = {
    "profile": "Your profile is saved.",
    "password": "Your password is changed, and your other devices are signed out.",
    "address": "Your new address is confirmed, and your other devices are signed out.",
    "reopened": "Your account is open again.",
}


class Profile(Wire):
    """A person's name, language and time zone; `version` is that of what was shown."""

    name: Name
    locale: Locale
    timezone: TimeZone
    version: int


@pages.get("/account", title="Your account", template="profile", requires=ONESELF)
async def profile_page(work: PersonWork, query: Done) -> Values:
    """Show one's own account."""
    return {"user": await queries.oneself(work), "zones": zones(), "notice": NOTICES.get(query.done)}


@pages.post("/account", requires=ONESELF)
async def change_profile(work: PersonWork, form: Profile) -> SeeOther:
    """Change one's name, language and time zone, unless somebody was faster."""
    check_zone(form.timezone, at="form.timezone")
    await actions.change_profile(work, version=form.version, name=form.name, locale=form.locale, timezone=form.timezone)
    return SeeOther("/account?done=profile")
