"""New passwords over HTTP: by a mailed link, or while signed in."""

from __future__ import annotations

from tenantry.accounts import exchanges
from tenantry.accounts.http.shapes import routes
from tenantry.accounts.inputs import FORGOT_SOURCE, RESET_SOURCE, EmailText, NewPassword, PasswordText, TokenText
from tenantry.accounts.problems import InvalidCredentials, LinkInvalid, TooManyGuesses, WeakPassword
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import read_address
from tenantry.foundation.permission import ANYONE, ONESELF
from tenantry.foundation.refusals import ProofNeeded
from tenantry.foundation.security.passwords import Busy
from tenantry.foundation.wire import Wire


class Forgotten(Wire):
    """The address of an account whose password is forgotten."""

    email: EmailText


class PasswordReset(Wire):
    """The mailed token, and the password to set."""

    token: TokenText
    password: NewPassword


class PasswordChange(Wire):
    """The password to set, and the present one; without it, a login less than 15 minutes old is needed."""

    new_password: NewPassword
    password: PasswordText | None = None


class PasswordSet(Wire):
    """Whose password was set: the address to sign in with."""

    email: EmailText


@routes.post(
    "/auth/forgot-password",
    requires=ANYONE,
    status=202,
    limits=(FORGOT_SOURCE,),
    example={"email": "ada@example.com"},
)
async def forgot_password(call: Call, body: Forgotten) -> None:
    """Ask for a mail with a link that sets a new password; the answer is always the same."""
    await exchanges.forgot_password(call, address=read_address(body.email))


@routes.post(
    "/auth/reset-password",
    requires=ANYONE,
    limits=(RESET_SOURCE,),
    problems=(LinkInvalid, WeakPassword, Busy),
    example={"token": "AZOX1vK0c2i0bG9uZw.c2lnbmF0dXJl", "password": "seven lanterns over the harbour"},
    answer_example={"email": "ada@example.com"},
)
async def reset_password(call: Call, body: PasswordReset) -> PasswordSet:
    """Set a new password with the mailed token; every device is signed out."""
    return PasswordSet(email=await exchanges.reset_password(call, token=body.token, password=body.password))


@routes.post(
    "/users/me/password",
    requires=ONESELF,
    status=204,
    problems=(InvalidCredentials, ProofNeeded, TooManyGuesses, WeakPassword, Busy),
    example={"password": "correct horse battery staple", "new_password": "seven lanterns over the harbour"},
)
async def change_password(call: Call, body: PasswordChange) -> None:
    """Set a new password; other devices are signed out, and links that were mailed before are dead."""
    await exchanges.change_password(call, password=body.password, new_password=body.new_password)
