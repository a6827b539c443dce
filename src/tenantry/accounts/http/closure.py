"""Closing one's account over HTTP, and opening it again."""

from __future__ import annotations

from tenantry.accounts import exchanges
from tenantry.accounts.http.shapes import ADA, UserView, routes, user_view
from tenantry.accounts.inputs import PasswordText
from tenantry.accounts.problems import ClosureBlocked, InvalidCredentials, NotClosed, TooManyGuesses
from tenantry.foundation.call import Call
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.security.passwords import Busy
from tenantry.foundation.wire import Wire

EXAMPLE = {"password": "correct horse battery staple"}


class OwnPassword(Wire):
    """The password, once more."""

    password: PasswordText


@routes.post(
    "/users/me/closure",
    requires=ONESELF,
    problems=(InvalidCredentials, TooManyGuesses, ClosureBlocked, Busy),
    example=EXAMPLE,
    answer_example=ADA | {"closes_at": "2026-02-01T03:04:05Z"},
)
async def close_me(call: Call, body: OwnPassword) -> UserView:
    """Close one's account: the other devices are signed out, and at `closes_at` everything is purged."""
    return user_view(await exchanges.close_account(call, password=body.password))


@routes.delete(
    "/users/me/closure",
    requires=ONESELF,
    problems=(InvalidCredentials, TooManyGuesses, NotClosed, Busy),
    example=EXAMPLE,
    answer_example=ADA,
    even_closed=True,
)
async def reopen_me(call: Call, body: OwnPassword) -> UserView:
    """Open one's closed account again, while it is not purged."""
    return user_view(await exchanges.reopen_account(call, password=body.password))
