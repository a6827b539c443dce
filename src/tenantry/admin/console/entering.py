"""The door of operators: the pages that sign a browser in and out as one, beside the person it is signed in as."""

from __future__ import annotations

import re

from tenantry.accounts.inputs import LOGIN, LOGIN_SOURCE, EmailText, PasswordText
from tenantry.admin import actions, exchanges
from tenantry.admin.console.frame import ENTER, HOME, LEAVE, pages
from tenantry.admin.permissions import OPERATE
from tenantry.foundation.action import Refusal
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import read_address
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.wire import Wire

NOTICES = {
    "left": "You are signed out as an operator.",
    "old": "For this, sign in again; you are led back, and nothing has been done yet.",
}
_OWN = re.compile(rf"{HOME}(?:[/?][!-\[\]-~]{{0,1000}})?", re.ASCII)


class Arriving(Wire):
    """Where the browser wanted to go, and what was just done."""

    next: str = ""
    done: str = ""


class Entering(Wire):
    """An operator's address, and the password of their account."""

    email: EmailText
    password: PasswordText
    next: str = ""


@pages.get(ENTER, title="Operators", template="admin_enter", requires=ANYONE, serves="signing operators in")
async def enter_page(call: Call, query: Arriving) -> Values:
    """Ask for an operator's address and the password of their account."""
    return {"next": query.next, "notice": NOTICES.get(query.done)}


@pages.post(ENTER, requires=ANYONE, limits=(LOGIN, LOGIN_SOURCE))
async def enter(call: Call, form: Entering) -> SeeOther | Refusal:
    """Sign the browser in as an operator's."""
    entered = await exchanges.operator_login(call, address=read_address(form.email), password=form.password)
    if isinstance(entered, Refusal):
        return entered
    visit = call.runtime.operators_visits.issue(entered.operator.id, entered.session_id)
    return SeeOther(form.next if _OWN.fullmatch(form.next) else HOME, visit=visit, of_operators=True)


@pages.get(LEAVE, title="Sign out", template="admin_leave", requires=OPERATE)
async def leave_page(work: OperatorWork) -> Values:
    """Ask whether to sign out as an operator."""
    return {}


@pages.post(LEAVE, requires=OPERATE)
async def leave(work: OperatorWork) -> SeeOther:
    """Sign the browser out as an operator's; whoever it is signed in as otherwise stays so."""
    await actions.sign_operator_out(work)
    return SeeOther(f"{ENTER}?done=left", visit="")
