"""A new address over HTTP: asked for, then confirmed by a mailed link."""

from __future__ import annotations

from tenantry.accounts import exchanges
from tenantry.accounts.http.shapes import ADA, UserView, routes, user_view
from tenantry.accounts.inputs import EmailText, PasswordText, TokenText
from tenantry.accounts.problems import AddressTaken, InvalidCredentials, LinkInvalid, TooManyGuesses
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import read_address
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.refusals import ProofNeeded
from tenantry.foundation.security.passwords import Busy
from tenantry.foundation.wire import Wire


class NewAddress(Wire):
    """The address to use from now on, and the password; without it, a login less than 15 minutes old is needed."""

    email: EmailText
    password: PasswordText | None = None


class Confirmation(Wire):
    """The token that was mailed to the new address."""

    token: TokenText


@routes.post(
    "/users/me/email",
    requires=ONESELF,
    status=202,
    problems=(InvalidCredentials, ProofNeeded, TooManyGuesses, Busy),
    example={"email": "ada.king@example.com", "password": "correct horse battery staple"},
)
async def ask_address_change(call: Call, body: NewAddress) -> None:
    """Ask for another address; a link goes to it, a notice to the one before, and nothing has changed yet."""
    await exchanges.ask_address_change(call, address=read_address(body.email), password=body.password)


@routes.post(
    "/users/me/email/confirmation",
    requires=ONESELF,
    problems=(LinkInvalid, AddressTaken),
    example={"token": "AZOX1vK0c2i0bG9uZw.c2lnbmF0dXJl"},
    answer_example=ADA | {"email": "ada.king@example.com"},
)
async def confirm_address(call: Call, body: Confirmation) -> UserView:
    """Confirm the new address with the token that was mailed to it; other devices are signed out."""
    return user_view(await exchanges.confirm_address(call, token=body.token))
