"""Signing up, in and out, and one's own profile, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from tenantry.accounts import actions, exchanges, queries
from tenantry.accounts.exchanges import SignedIn
from tenantry.accounts.models import User
from tenantry.accounts.problems import (
    AddressTaken,
    InvalidCredentials,
    LinkInvalid,
    RefreshRefused,
    RefreshReused,
    WeakPassword,
)
from tenantry.foundation.action import Refusal
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.net.address import read_address
from tenantry.foundation.permission import ANYONE, ONESELF
from tenantry.foundation.problems import FieldError, Invalid, VersionMismatch
from tenantry.foundation.routes import Routes, Versioned
from tenantry.foundation.security.passwords import Busy
from tenantry.foundation.security.strength import SHORTEST
from tenantry.foundation.text import Locale, Name, TimeZone, check_zone
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork

routes = Routes("accounts")

# the formats are for the document: reading the address, and judging the password with typed reasons, refuse more
EmailText = Annotated[
    str,
    Meta(min_length=3, max_length=254, description="An e-mail address.", extra_json_schema={"format": "idn-email"}),
]
PasswordText = Annotated[str, Meta(max_length=1024, description="A password; every byte counts.")]
NewPassword = Annotated[
    str,
    Meta(
        max_length=1024,
        description="10 to 1024 characters, hard to guess and in no list of stolen ones.",
        extra_json_schema={"minLength": SHORTEST},
    ),
]
UserId = Annotated[str, Meta(pattern=f"^{USER_ID.start}", description="Names a person.")]
Instant = Annotated[datetime, Meta(tz=True)]
TokenText = Annotated[str, Meta(min_length=1, max_length=200, description="The token of a mailed link.")]
Proof = Annotated[str, Meta(min_length=1, max_length=200, description="What registering answered with.")]
RefreshText = Annotated[str, Meta(min_length=1, max_length=200, description="A refresh token.")]


class UserView(Wire):
    """A person, as they see themselves."""

    id: UserId
    email: str
    name: str
    locale: str
    timezone: str
    created_at: Instant


class Tokens(Wire):
    """What a signed-in device holds."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Meta(description="Seconds until the access token expires.")]
    user: UserView


class NewRegistration(Wire):
    """Who wants to join."""

    email: EmailText
    password: NewPassword
    name: Name


class PendingRegistration(Wire):
    """A registration that waits for its address to be proven; keep `registration` to prove it with."""

    registration: str


class Proofs(Wire):
    """The mailed token, and one proof of being the one who registered."""

    described: ClassVar[Mapping[str, Any]] = {
        "oneOf": [
            {"required": [given], "properties": {given: {"type": "string"}, other: {"type": "null"}}}
            for given, other in (("registration", "password"), ("password", "registration"))
        ]
    }
    token: TokenText
    registration: Proof | None = None
    password: PasswordText | None = None


class OneAddress(Wire):
    """An address to send something to."""

    email: EmailText


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


class ProfileChange(Wire):
    """What to change; what is left out stays."""

    described: ClassVar[Mapping[str, Any]] = {"minProperties": 1}
    name: Name | msgspec.UnsetType = msgspec.UNSET
    locale: Locale | msgspec.UnsetType = msgspec.UNSET
    timezone: TimeZone | msgspec.UnsetType = msgspec.UNSET


ADA = {
    "id": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "locale": "en",
    "timezone": "UTC",
    "created_at": "2026-01-02T03:04:05Z",
}
SIGNED_IN = {
    "access_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
    "refresh_token": "tnr_AQID",
    "token_type": "Bearer",
    "expires_in": 300,
    "user": ADA,
}
CREDENTIALS = {"email": "ada@example.com", "password": "correct horse battery staple"}


@routes.post(
    "/auth/register",
    requires=ANYONE,
    status=202,
    problems=(WeakPassword, Busy),
    example=CREDENTIALS | {"name": "Ada Lovelace"},
    answer_example={"registration": "AZOX1vK0c2i0bG9uZw.c2lnbmF0dXJl"},
)
async def register(call: Call, body: NewRegistration) -> PendingRegistration:
    """Ask to join; a mail with a link follows, whether or not the address is known."""
    address = read_address(body.email)
    proof = await exchanges.register(call, address=address, name=body.name, password=body.password)
    return PendingRegistration(registration=proof)


@routes.post(
    "/auth/verify-email",
    requires=ANYONE,
    problems=(LinkInvalid, InvalidCredentials, AddressTaken, Busy),
    example={"token": "AZOX1vK0c2i0bG9uZw.c2lnbmF0dXJl", "registration": "AZOX1vK0c2i0bG9uZw.b3RoZXI"},
    answer_example=SIGNED_IN,
)
async def verify_email(call: Call, body: Proofs) -> Tokens:
    """Prove an address with the mailed token and the registration (or its password), and sign in."""
    if (body.registration is None) is (body.password is None):
        raise Invalid(errors=(FieldError("body", "needs either `registration` or `password`"),))
    if body.registration is not None:
        return _tokens(await exchanges.verify_with_registration(call, token=body.token, proof=body.registration))
    return _tokens(await exchanges.verify_with_password(call, token=body.token, password=body.password or ""))


@routes.post("/auth/resend", requires=ANYONE, status=202, example={"email": "ada@example.com"})
async def resend(call: Call, body: OneAddress) -> None:
    """Ask for the verification mail once more; the answer is always the same."""
    await exchanges.resend_verification(call, address=read_address(body.email))


@routes.post(
    "/auth/login",
    requires=ANYONE,
    problems=(InvalidCredentials, Busy),
    example=CREDENTIALS,
    answer_example=SIGNED_IN,
)
async def login(call: Call, body: Credentials) -> Tokens | Refusal:
    """Sign in with an address and a password."""
    signed_in = await exchanges.login(call, address=read_address(body.email), password=body.password)
    return signed_in if isinstance(signed_in, Refusal) else _tokens(signed_in)


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
    return signed_in if isinstance(signed_in, Refusal) else _tokens(signed_in)


@routes.post("/auth/logout", requires=ANYONE, status=204, problems=(RefreshRefused,), example={"scope": "local"})
async def logout(call: Call, body: Logout) -> None:
    """Sign out this device, the others, or all; needs an access token or the refresh token."""
    await exchanges.logout(call, scope=body.scope, refresh_token=body.refresh_token)


@routes.get("/users/me", requires=ONESELF, answer_example=ADA)
async def me(work: PersonWork) -> Versioned[UserView]:
    """One's own account."""
    user = await queries.oneself(work)
    return Versioned(_user(user), user.version)


@routes.patch(
    "/users/me",
    requires=ONESELF,
    problems=(VersionMismatch,),
    example={"name": "Ada King", "timezone": "Europe/London"},
    answer_example=ADA | {"name": "Ada King", "timezone": "Europe/London"},
)
async def change_me(work: PersonWork, body: ProfileChange, if_match: int | None) -> Versioned[UserView]:
    """Change one's name, language or time zone; `If-Match` refuses the change if somebody was faster."""
    given = msgspec.structs.asdict(body)
    changes = {name: content for name, content in given.items() if content is not msgspec.UNSET}
    if not changes:
        raise Invalid(errors=(FieldError("body", "needs at least one field to change"),))
    if "timezone" in changes:
        check_zone(changes["timezone"])
    user = await actions.change_profile(work, version=if_match, **changes)
    return Versioned(_user(user), user.version)


def _user(user: User) -> UserView:
    return UserView(
        id=USER_ID.text(user.id),
        email=user.email,
        name=user.name,
        locale=user.locale,
        timezone=user.timezone,
        created_at=user.created_at,
    )


def _tokens(signed_in: SignedIn) -> Tokens:
    return Tokens(
        access_token=signed_in.access_token,
        refresh_token=signed_in.refresh_token,
        token_type="Bearer",  # noqa: S106  (the scheme's name)
        expires_in=signed_in.expires_in,
        user=_user(signed_in.user),
    )
