"""The pages of new passwords: forgotten and set by link, or changed while signed in."""

from __future__ import annotations

from tenantry.accounts import exchanges, queries
from tenantry.accounts.inputs import FORGOT_SOURCE, RESET_SOURCE, EmailText, NewPassword, PasswordText, TokenText
from tenantry.accounts.pages.forms import Linked, pages
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import read_address
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import ANYONE, ONESELF
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork


class Forgotten(Wire):
    """The address of an account whose password is forgotten."""

    email: EmailText


class NewByLink(Wire):
    """A mailed link and the password to set."""

    token: TokenText
    password: NewPassword


class NewBesideOld(Wire):
    """The present password and the one to set."""

    password: PasswordText
    new_password: NewPassword


@pages.get("/account/forgot", title="Forgot your password?", template="forgot", requires=ANYONE)
async def forgot_page(call: Call) -> Values:
    """Ask for the address."""
    return {}


@pages.post("/account/forgot", requires=ANYONE, limits=(FORGOT_SOURCE,))
async def forgot(call: Call, form: Forgotten) -> SeeOther:
    """Ask for a mail with a link; what follows looks the same for every address."""
    await exchanges.forgot_password(call, address=read_address(form.email))
    return SeeOther("/account/mailed")


@pages.get("/account/reset", title="Set a new password", template="reset", requires=ANYONE)
async def reset_page(call: Call, query: Linked) -> Values:
    """Ask whoever follows the link for a new password."""
    return {"token": query.present()}


@pages.post("/account/reset", requires=ANYONE, limits=(RESET_SOURCE,))
async def reset(call: Call, form: NewByLink) -> SeeOther:
    """Set the new password; nobody is signed in by it, and every device is signed out."""
    await exchanges.reset_password(call, token=form.token, password=form.password)
    return SeeOther("/account/login?done=reset")


@pages.get("/account/password", title="Change your password", template="password", requires=ONESELF)
async def password_page(work: PersonWork) -> Values:
    """Ask for the present password and the next."""
    return {"email": (await queries.oneself(work)).email}


@pages.post("/account/password", requires=ONESELF)
async def change_password(call: Call, form: NewBesideOld) -> SeeOther:
    """Set the new password; the other devices are signed out."""
    await exchanges.change_password(call, password=form.password, new_password=form.new_password)
    return SeeOther("/account?done=password")
