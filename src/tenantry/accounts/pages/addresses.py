"""The pages of a new address: asked for, then confirmed by the link that it was mailed."""

from __future__ import annotations

from tenantry.accounts import exchanges, queries
from tenantry.accounts.inputs import EmailText, PasswordText, TokenText
from tenantry.accounts.pages.forms import Done, Linked, pages
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import read_address
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork

ASKED = "A link is on its way to the new address. Until you follow it, nothing has changed."


class NewAddress(Wire):
    """The address to use from now on, and the password."""

    email: EmailText
    password: PasswordText


class Confirmation(Wire):
    """The link that was mailed to the new address."""

    token: TokenText


@pages.get("/account/address", title="Change your address", template="address", requires=ONESELF)
async def address_page(work: PersonWork, query: Done) -> Values:
    """Ask for the new address."""
    return {"email": (await queries.oneself(work)).email, "notice": ASKED if query.done == "asked" else None}


@pages.post("/account/address", requires=ONESELF)
async def ask_address_change(call: Call, form: NewAddress) -> SeeOther:
    """Ask for another address; it is mailed a link."""
    await exchanges.ask_address_change(call, address=read_address(form.email), password=form.password)
    return SeeOther("/account/address?done=asked")


@pages.get("/account/email", title="Confirm your new address", template="confirm_address", requires=ONESELF)
async def confirm_page(work: PersonWork, query: Linked) -> Values:
    """Ask whoever follows the link to confirm."""
    return {"token": query.present(), "email": (await queries.oneself(work)).email}


@pages.post("/account/email", requires=ONESELF)
async def confirm_address(call: Call, form: Confirmation) -> SeeOther:
    """Confirm the new address; the other devices are signed out."""
    await exchanges.confirm_address(call, token=form.token)
    return SeeOther("/account?done=address")
