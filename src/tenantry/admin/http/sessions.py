"""Operators signing in and out over HTTP, and who they are."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tenantry.accounts.inputs import LOGIN, LOGIN_SOURCE, EmailText, PasswordText
from tenantry.accounts.problems import InvalidCredentials, TooManyGuesses
from tenantry.admin import actions, exchanges, queries
from tenantry.admin.http.shapes import ADA, AnyUserId, Instant, routes
from tenantry.admin.models.operators import Operator
from tenantry.admin.permissions import LOOK, OPERATE
from tenantry.foundation.action import Refusal
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.net.address import read_address
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.permission import ANYONE, OperatorRole
from tenantry.foundation.security.passwords import Busy
from tenantry.foundation.wire import Wire

GRACE = {
    "user_id": ADA,
    "email": "grace@example.com",
    "name": "Grace Hopper",
    "role": "support",
    "granted_at": "2026-01-02T03:04:05Z",
}
SIGNED_IN = {
    "access_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
    "token_type": "Bearer",
    "expires_in": 43200,
    "operator": GRACE,
}


class OperatorCredentials(Wire):
    """An operator's address, and the password of their account."""

    email: EmailText
    password: PasswordText


class OperatorView(Wire):
    """A person who runs the installation."""

    user_id: AnyUserId
    email: str
    name: str
    role: OperatorRole
    granted_at: Instant


class OperatorTokens(Wire):
    """What a signed-in operator holds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Meta(description="Seconds until it expires; unused for an hour it ends before.")]
    operator: OperatorView


class OperatorList(Wire):
    """Everybody who runs the installation."""

    items: list[OperatorView]


@routes.post(
    "/auth/login",
    requires=ANYONE,
    limits=(LOGIN, LOGIN_SOURCE),
    problems=(InvalidCredentials, TooManyGuesses, Busy),
    example={"email": "grace@example.com", "password": "correct horse battery staple"},
    answer_example=SIGNED_IN,
)
async def operator_login(call: Call, body: OperatorCredentials) -> OperatorTokens | Refusal:
    """Sign in as an operator; whoever is none is answered as if the password were wrong."""
    signed_in = await exchanges.operator_login(call, address=read_address(body.email), password=body.password)
    if isinstance(signed_in, Refusal):
        return signed_in
    return OperatorTokens(
        access_token=signed_in.access_token,
        token_type="Bearer",  # noqa: S106  (the scheme's name)
        expires_in=signed_in.expires_in,
        operator=operator_view(signed_in.operator),
    )


@routes.post("/auth/logout", requires=OPERATE, status=204)
async def operator_logout(work: OperatorWork) -> None:
    """Sign out as an operator, where this is asked from."""
    await actions.sign_operator_out(work)


@routes.get("/operators", requires=LOOK, answer_example={"items": [GRACE]})
async def operators(work: OperatorWork) -> OperatorList:
    """See who runs the installation; who does is said at the command line."""
    return OperatorList(items=[operator_view(one) for one in await queries.operators(work)])


@routes.get("/operators/me", requires=OPERATE, answer_example=GRACE)
async def operator_me(work: OperatorWork) -> OperatorView:
    """See who one is as an operator, and in which role."""
    person = work.call.actor.person
    assert person is not None
    found = await queries.operator(work, user_id=person)
    assert found is not None
    return operator_view(found)


def operator_view(one: Operator) -> OperatorView:
    return OperatorView(
        user_id=USER_ID.text(one.id), email=one.email, name=one.name, role=one.role, granted_at=one.granted_at
    )
