"""What the operations of accounts have in common: the routes they are declared in, texts, views and examples."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from tenantry.accounts.exchanges import SignedIn
from tenantry.accounts.models import User
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.routes import Routes
from tenantry.foundation.wire import Wire

routes = Routes("accounts")

UserId = Annotated[str, Meta(pattern=f"^{USER_ID.start}", description="Names a person.")]
Instant = Annotated[datetime, Meta(tz=True)]


class UserView(Wire):
    """A person, as they see themselves."""

    id: UserId
    email: str
    name: str
    locale: str
    timezone: str
    created_at: Instant
    closes_at: Annotated[Instant | None, Meta(description="When the closed account is purged; null for an open one.")]


class Tokens(Wire):
    """What a signed-in device holds."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires_in: Annotated[int, Meta(description="Seconds until the access token expires.")]
    user: UserView


ADA = {
    "id": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "locale": "en",
    "timezone": "UTC",
    "created_at": "2026-01-02T03:04:05Z",
    "closes_at": None,
}
SIGNED_IN = {
    "access_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
    "refresh_token": "tnr_AQID",
    "token_type": "Bearer",
    "expires_in": 300,
    "user": ADA,
}
CREDENTIALS = {"email": "ada@example.com", "password": "correct horse battery staple"}


def user_view(user: User) -> UserView:
    return UserView(
        id=USER_ID.text(user.id),
        email=user.email,
        name=user.name,
        locale=user.locale,
        timezone=user.timezone,
        created_at=user.created_at,
        closes_at=user.purge_at,
    )


def tokens_view(signed_in: SignedIn) -> Tokens:
    return Tokens(
        access_token=signed_in.access_token,
        refresh_token=signed_in.refresh_token,
        token_type="Bearer",  # noqa: S106  (the scheme's name)
        expires_in=signed_in.expires_in,
        user=user_view(signed_in.user),
    )
