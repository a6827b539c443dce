"""The pages of people: looking for anybody, and what may be done about one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from tenantry.accounts.actions import enable_user
from tenantry.accounts.models import LONGEST_WHY
from tenantry.admin import actions
from tenantry.admin.console.frame import PEOPLE, Done, pages
from tenantry.admin.permissions import KEEP_OUT, LOOK, SUPPORT
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.listing import MOST_ROWS, ListQuery
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.wire import Wire

ONE = f"{PEOPLE}/{{user}}"
NOTICES = {
    "signed_out": "They are signed out of every device.",
    "mailed": "They are sent a link for a new password.",
    "kept_out": "They are kept out.",
    "let_in": "They are let in again.",
}


class Looking(ListQuery):
    """Who is sought, by a part of the address or name: the newest first."""

    order: Literal["-created_at"] = "-created_at"
    q: Annotated[str, Meta(max_length=254)] = ""
    disabled: Literal["", "yes"] = ""


class Disabling(Wire):
    """Why a person is kept out, and for how many days; none: until they are let in."""

    why: Annotated[str, Meta(min_length=1, max_length=LONGEST_WHY)]
    days: Annotated[str, Meta(pattern=r"^(?:[1-9][0-9]{0,3})?$")] = ""


@pages.get(PEOPLE, title="People", template="admin_people", requires=LOOK)
async def people_page(work: OperatorWork, query: Looking) -> Values:
    """Look for people by a part of their address or name."""
    found, after = await actions.list_people(
        work, query=query, search=query.q or None, disabled=query.disabled == "yes"
    )
    return {"people": found, "next": after, "q": query.q, "disabled": query.disabled}


@pages.get(ONE, title="A person", template="admin_person", requires=LOOK, ids={"user": USER_ID})
async def person_page(work: OperatorWork, user: UUID, query: Done) -> Values:
    """Show whether a person may sign in, and on which devices they are."""
    newest = ListQuery(order="-last_used_at", limit=MOST_ROWS)
    devices, _ = await actions.look_at_devices(work, user_id=user, query=newest)
    return {
        "person": await actions.look_at_person(work, user_id=user),
        "devices": devices,
        "longest_why": LONGEST_WHY,
        "notice": NOTICES.get(query.done),
        "may_support": work.may(SUPPORT),
        "may_keep_out": work.may(KEEP_OUT),
    }


@pages.post(f"{ONE}/signing-out", of=ONE, requires=SUPPORT, ids={"user": USER_ID})
async def sign_out_everywhere(work: OperatorWork, user: UUID) -> SeeOther:
    """Sign a person out of every device."""
    await actions.sign_person_out(work, user_id=user)
    return _back(user, "signed_out")


@pages.post(f"{ONE}/password-reset-mail", of=ONE, requires=SUPPORT, ids={"user": USER_ID})
async def mail_link(work: OperatorWork, user: UUID) -> SeeOther:
    """Send a person a link that sets a new password."""
    await actions.mail_reset(work, user_id=user)
    return _back(user, "mailed")


@pages.post(f"{ONE}/disabling", of=ONE, requires=KEEP_OUT, ids={"user": USER_ID})
async def keep_out(work: OperatorWork, user: UUID, form: Disabling) -> SeeOther:
    """Keep a person out."""
    until = work.runtime.clock.now() + timedelta(days=int(form.days)) if form.days else None
    await actions.keep_person_out(work, user_id=user, why=form.why, until=until)
    return _back(user, "kept_out")


@pages.post(f"{ONE}/enabling", of=ONE, requires=KEEP_OUT, ids={"user": USER_ID})
async def let_in(work: OperatorWork, user: UUID) -> SeeOther:
    """Let a person in again who was kept out."""
    await enable_user(work, user_id=user)
    return _back(user, "let_in")


def _back(user: UUID, done: str) -> SeeOther:
    return SeeOther(f"{PEOPLE}/{USER_ID.text(user)}?done={done}")
