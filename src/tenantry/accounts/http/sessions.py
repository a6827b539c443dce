"""Signing in and out over HTTP, and staying signed in."""

from __future__ import annotations

from typing import Literal

from tenantry.accounts import exchanges
from tenantry.accounts.http.shapes import CREDENTIALS, SIGNED_IN, Tokens, routes, tokens_view
from tenantry.accounts.inputs import LOGIN, LOGIN_SOURCE, EmailText, PasswordText, RefreshText
from tenantry.accounts.problems import InvalidCredentials, RefreshRefused, RefreshReused
from tenantry.foundation.action import Refusal
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import read_address
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.security.passwords import Busy
from tenantry.foundation.wire import Wire


class Credentials(Wire):
    """An address and its password."""

    email: EmailText
    password: PasswordText


class RefreshToken(Wire):
    """The refresh token that was given last."""

    refresh_token: RefreshText


class Logout(Wire):
    """Which devices to sign out; without an access token, the refresh token says which one is asking."""

    scope: Literal["local", "others", "all"] = "local"
    refresh_token: RefreshText | None = None


@routes.post(
    "/auth/login",
    requires=ANYONE,
    limits=(LOGIN, LOGIN_SOURCE),
    problems=(InvalidCredentials, Busy),
    example=CREDENTIALS,
    answer_example=SIGNED_IN,
)
async def login(call: Call, body: Credentials) -> Tokens | Refusal:
    """Sign in with an address and a password."""
    signed_in = await exchanges.login(call, address=read_address(body.email), password=body.password)
    return signed_in if isinstance(signed_in, Refusal) else tokens_view(signed_in)


@routes.post(
    "/auth/refresh",
    requires=ANYONE,
    problems=(RefreshRefused, RefreshReused),
    example={"refresh_token": "tnr_AQID"},
    answer_example=SIGNED_IN,
)
async def refresh(call: Call, body: RefreshToken) -> Tokens | Refusal:
    """Exchange a refresh token for new tokens; a token used twice signs the device out."""
    signed_in = await exchanges.refresh(call, token=body.refresh_token)
    return signed_in if isinstance(signed_in, Refusal) else tokens_view(signed_in)


@routes.post("/auth/logout", requires=ANYONE, status=204, problems=(RefreshRefused,), example={"scope": "local"})
async def logout(call: Call, body: Logout) -> None:
    """Sign out this device, the others, or all; needs an access token or the refresh token."""
    await exchanges.logout(call, scope=body.scope, refresh_token=body.refresh_token)
