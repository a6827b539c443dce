"""The pages of signing up: asking, being told to look into one's mail, and proving the address."""

from __future__ import annotations

from tenantry.accounts import exchanges
from tenantry.accounts.inputs import (
    REGISTER,
    REGISTER_SOURCE,
    RESEND_SOURCE,
    VERIFY_SOURCE,
    EmailText,
    NewPassword,
    PasswordText,
    TokenText,
)
from tenantry.accounts.pages.forms import Linked, let_in, pages
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import read_address
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.text import Name
from tenantry.foundation.wire import Wire


class SignUp(Wire):
    """Who wants to join."""

    email: EmailText
    password: NewPassword
    name: Name


class Again(Wire):
    """Where to send the mail once more."""

    email: EmailText


class Verification(Wire):
    """A mailed link, and the password that was chosen at the sign-up."""

    token: TokenText
    password: PasswordText


@pages.get("/account/register", title="Create an account", template="sign_up", requires=ANYONE)
async def sign_up_page(call: Call) -> Values:
    """Ask who wants to join."""
    return {}


@pages.post("/account/register", requires=ANYONE, limits=(REGISTER, REGISTER_SOURCE))
async def sign_up(call: Call, form: SignUp) -> SeeOther:
    """Ask to join; what follows looks the same for every address."""
    await exchanges.register(call, address=read_address(form.email), name=form.name, password=form.password)
    return SeeOther("/account/mailed")


@pages.get("/account/mailed", title="Look into your mail", template="mailed", requires=ANYONE)
async def mailed_page(call: Call) -> Values:
    """Say that a mail is on its way, whether or not one is."""
    return {}


@pages.get("/account/resend", title="Send the mail again", template="resend", requires=ANYONE)
async def resend_page(call: Call) -> Values:
    """Ask which address to send the mail to."""
    return {}


@pages.post("/account/resend", requires=ANYONE, limits=(RESEND_SOURCE,))
async def resend(call: Call, form: Again) -> SeeOther:
    """Ask for the verification mail once more."""
    await exchanges.resend_verification(call, address=read_address(form.email))
    return SeeOther("/account/mailed")


@pages.get("/account/verify", title="Confirm your address", template="verify", requires=ANYONE)
async def verify_page(call: Call, query: Linked) -> Values:
    """Ask whoever follows the link for the password of the sign-up."""
    return {"token": query.present()}


@pages.post("/account/verify", requires=ANYONE, limits=(VERIFY_SOURCE,))
async def verify(call: Call, form: Verification) -> SeeOther:
    """Prove the address, and sign the browser in."""
    return await let_in(call, await exchanges.verify_with_password(call, token=form.token, password=form.password))
