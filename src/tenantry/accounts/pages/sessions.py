"""The pages that sign a browser in and out."""

from __future__ import annotations

from tenantry.accounts import exchanges
from tenantry.accounts.inputs import LOGIN, LOGIN_SOURCE, EmailText, PasswordText
from tenantry.accounts.pages.forms import let_in, pages
from tenantry.foundation.action import Refusal
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import read_address
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.wire import Wire

NOTICES = {
    "reset": "Your new password is set. Sign in with it.",
    "left": "You are signed out.",
}


class Arriving(Wire):
    """Where the browser wanted to go, and what was just done."""

    next: str = ""
    done: str = ""


class SignIn(Wire):
    """An address and its password."""

    email: EmailText
    password: PasswordText
    next: str = ""


@pages.get("/account/login", title="Sign in", template="sign_in", requires=ANYONE, serves="signing in")
async def sign_in_page(call: Call, query: Arriving) -> Values:
    """Ask for the address and the password."""
    return {"next": query.next, "notice": NOTICES.get(query.done)}


@pages.post("/account/login", requires=ANYONE, limits=(LOGIN, LOGIN_SOURCE))
async def sign_in(call: Call, form: SignIn) -> SeeOther | Refusal:
    """Sign the browser in."""
    signed_in = await exchanges.login(call, address=read_address(form.email), password=form.password)
    return signed_in if isinstance(signed_in, Refusal) else await let_in(call, signed_in, to=form.next)


@pages.get("/account/logout", title="Sign out", template="sign_out", requires=ANYONE)
async def sign_out_page(call: Call) -> Values:
    """Ask whether to sign out."""
    return {}


@pages.post("/account/logout", requires=ANYONE)
async def sign_out(call: Call) -> SeeOther:
    """Sign the browser out."""
    await exchanges.leave(call)
    return SeeOther("/account/login?done=left", visit="")
