"""The page of taking one's data away."""

from __future__ import annotations

import msgspec

from tenantry.accounts import actions, exchanges, queries
from tenantry.accounts.pages.forms import pages
from tenantry.foundation.call import Call
from tenantry.foundation.pages import Download, SeeOther, Values
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork

ASKED = "Your data is being gathered. A mail with a link follows when it is ready."


class MaybeLinked(Wire):
    """A mailed link, where one led here."""

    token: str = ""
    done: str = ""


class Wanted(Wire):
    """The mailed link, where there is one."""

    token: str = ""


@pages.get("/account/export", title="Your data", template="export", requires=ONESELF, even_closed=True)
async def export_page(work: PersonWork, query: MaybeLinked) -> Values:
    """Offer to gather everything that is held about oneself, or with a link, to take it away."""
    user = await queries.oneself(work)
    return {"token": query.token, "email": user.email, "notice": ASKED if query.done == "asked" else None}


@pages.post("/account/export", requires=ONESELF, even_closed=True)
async def take_export(call: Call, form: Wanted) -> SeeOther | Download:
    """Ask for one's data; or, with a link, keep it as a file."""
    if not form.token:
        async with PersonWork(call) as work:
            await actions.ask_export(work)
        return SeeOther("/account/export?done=asked")
    sections = await exchanges.take_export(call, token=form.token)
    held = msgspec.json.format(msgspec.json.encode({"sections": sections}), indent=2)
    return Download("my-data.json", "application/json", held)
