"""Devices over HTTP: which are signed in, signing one out, giving a token back."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from tenantry.accounts import actions, exchanges, queries
from tenantry.accounts.http.shapes import Instant, routes
from tenantry.accounts.models import SESSION_IDLE, Device
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import SESSION_ID
from tenantry.foundation.listing import ListAnswer, ListQuery
from tenantry.foundation.permission import ANYONE, ONESELF
from tenantry.foundation.security.access import LONGEST
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork

SessionId = Annotated[str, Meta(pattern=f"^{SESSION_ID.start}", description="Names a session.")]
PHONE = {
    "id": "ses_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "current": True,
    "created_at": "2026-01-02T03:04:05Z",
    "last_used_at": "2026-01-03T08:00:00Z",
    "expires_at": "2026-04-02T03:04:05Z",
    "source": "192.0.2.7",
    "agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)",
}


class SessionView(Wire):
    """A device that is signed in: `source` is its address at the login, `agent` what its User-Agent said there."""

    id: SessionId
    current: Annotated[bool, Meta(description="Whether it is the one that asks.")]
    created_at: Instant
    last_used_at: Annotated[Instant, Meta(description="When it last got new tokens, at a refresh or the login.")]
    expires_at: Annotated[Instant, Meta(description="When it ends at the latest; unused for 30 days, before.")]
    source: str
    agent: str


class SessionQuery(ListQuery):
    """In which order: used last first, or newest first."""

    order: Literal["-last_used_at", "-created_at"] = "-last_used_at"


class SessionList(ListAnswer):
    """A part of the list of one's own devices."""

    items: list[SessionView]


class AnyToken(Wire):
    """The token to give back; the hint is accepted and not needed."""

    token: Annotated[str, Meta(max_length=LONGEST, description="A refresh or access token; anything else is ignored.")]
    token_type_hint: Annotated[str, Meta(max_length=100)] | None = None


@routes.get("/users/me/sessions", requires=ONESELF, answer_example={"items": [PHONE], "next": None})
async def sessions(work: PersonWork, query: SessionQuery) -> SessionList:
    """One's own devices that are signed in.

    The last use is the last refresh, so a device that is being used was seen less than an access token's life ago.
    One that is refreshed between two pages moves to the front in the order of use; in the order of age nothing moves.
    """
    found, after = await queries.devices.read(work, query, idle=SESSION_IDLE)
    return SessionList(items=[_view(device, work.session_id) for device in found], next=after)


@routes.delete("/users/me/sessions/{session}", requires=ONESELF, status=204, ids={"session": SESSION_ID})
async def end_session(work: PersonWork, session: UUID) -> None:
    """Sign out one of one's own devices, also the one that asks; its tokens are refused at once."""
    await actions.end_device(work, session_id=session)


@routes.post("/auth/revoke", requires=ANYONE, example={"token": "tnr_AQID"})
async def revoke(call: Call, body: AnyToken) -> None:
    """Give a refresh or access token back, which ends its session (RFC 7009); the answer is always the same."""
    await exchanges.revoke(call, token=body.token)


def _view(device: Device, current: UUID) -> SessionView:
    return SessionView(
        id=SESSION_ID.text(device.id),
        current=device.id == current,
        created_at=device.created_at,
        last_used_at=device.last_used_at,
        expires_at=device.expires_at,
        source=device.source,
        agent=device.agent,
    )
