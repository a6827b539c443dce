"""Anybody's account over HTTP, for operators: looking, keeping out, signing out, a link for a new password.

Whoever is looked at leaves a row in the audit log, with the operator's id.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from tenantry.accounts.actions import enable_user
from tenantry.accounts.models import LONGEST_WHY, Account, Device
from tenantry.admin import actions
from tenantry.admin.http.shapes import ADA, AnyUserId, Instant, Search, instant, routes
from tenantry.admin.permissions import KEEP_OUT, LOOK, SUPPORT
from tenantry.admin.problems import HigherOperator
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
from tenantry.foundation.listing import ListAnswer, ListQuery
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.wire import Wire

ACCOUNT = {
    "id": ADA,
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "status": "disabled",
    "created_at": "2026-01-02T03:04:05Z",
    "purge_at": None,
    "disabled_until": None,
    "disabled_why": "asked by the police of Vienna",
    "sessions": 2,
    "last_used_at": "2026-01-03T08:00:00Z",
}
DEVICE = {
    "id": "ses_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "created_at": "2026-01-02T03:04:05Z",
    "last_used_at": "2026-01-03T08:00:00Z",
    "expires_at": "2026-04-02T03:04:05Z",
    "source": "192.0.2.7",
    "agent": "Mozilla/5.0",
}


class AnyUser(Wire):
    """A person with an account, and how it stands with it."""

    id: AnyUserId
    email: str
    name: str
    status: Literal["active", "disabled", "closed"]
    created_at: Instant
    purge_at: Instant | None
    disabled_until: Annotated[Instant | None, Meta(description="Null: not at all, or until they are let in.")]
    disabled_why: str | None
    sessions: Annotated[int, Meta(description="Devices that are signed in.")]
    last_used_at: Instant | None


class AnyUserQuery(Search):
    """Which people, by their address or name: the newest first."""

    order: Literal["-created_at"] = "-created_at"
    disabled: Annotated[bool, Meta(description="Only those who are kept out.")] = False


class AnyUserList(ListAnswer):
    """A part of the list of everybody."""

    items: list[AnyUser]


class AnyDevice(Wire):
    """A device that somebody is signed in on."""

    id: str
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    source: str
    agent: str


class AnyDeviceQuery(ListQuery):
    """In which order: used last first."""

    order: Literal["-last_used_at"] = "-last_used_at"


class AnyDeviceList(ListAnswer):
    """A part of the list of somebody's devices."""

    items: list[AnyDevice]


class Disabling(Wire):
    """Why a person is kept out, in one line, and until when; null: until they are let in."""

    why: Annotated[str, Meta(min_length=1, max_length=LONGEST_WHY)]
    until: Annotated[datetime, Meta(tz=True)] | None = None


@routes.get("/users", requires=LOOK, answer_example={"items": [ACCOUNT], "next": None})
async def any_users(work: OperatorWork, query: AnyUserQuery) -> AnyUserList:
    """Look for people by a part of their address or name."""
    found, after = await actions.list_people(work, query=query, search=query.sought, disabled=query.disabled)
    return AnyUserList(items=[_view(one) for one in found], next=after)


@routes.get("/users/{user}", requires=LOOK, ids={"user": USER_ID}, answer_example=ACCOUNT)
async def any_user(work: OperatorWork, user: UUID) -> AnyUser:
    """Look at one person: whether they may sign in, and on how many devices they are."""
    return _view(await actions.look_at_person(work, user_id=user))


@routes.get(
    "/users/{user}/sessions", requires=LOOK, ids={"user": USER_ID}, answer_example={"items": [DEVICE], "next": None}
)
async def any_sessions(work: OperatorWork, user: UUID, query: AnyDeviceQuery) -> AnyDeviceList:
    """Look at the devices that a person is signed in on."""
    found, after = await actions.look_at_devices(work, user_id=user, query=query)
    return AnyDeviceList(items=[_device(one) for one in found], next=after)


@routes.delete(
    "/users/{user}/sessions", requires=SUPPORT, status=204, ids={"user": USER_ID}, problems=(HigherOperator,)
)
async def end_any_sessions(work: OperatorWork, user: UUID) -> None:
    """Sign a person out of every device."""
    await actions.sign_person_out(work, user_id=user)


@routes.post("/users/{user}/password-reset-mail", requires=SUPPORT, status=202, ids={"user": USER_ID})
async def mail_password_reset(work: OperatorWork, user: UUID) -> None:
    """Send a person a link that sets a new password, at most five in an hour; nobody else sees the link."""
    await actions.mail_reset(work, user_id=user)


@routes.post(
    "/users/{user}/disabling",
    requires=KEEP_OUT,
    ids={"user": USER_ID},
    problems=(HigherOperator,),
    example={"why": "asked by the police of Vienna", "until": None},
    answer_example=ACCOUNT,
)
async def disable_any_user(work: OperatorWork, user: UUID, body: Disabling) -> AnyUser:
    """Keep a person out: every device is signed out, their API keys are refused, nobody signs in."""
    await actions.keep_person_out(work, user_id=user, why=body.why, until=instant(body.until, "body.until"))
    return _view(await actions.person_found(work, user))


@routes.delete("/users/{user}/disabling", requires=KEEP_OUT, ids={"user": USER_ID}, answer_example=ACCOUNT)
async def enable_any_user(work: OperatorWork, user: UUID) -> AnyUser:
    """Let a person in again who was kept out; one who was not stays as they are."""
    await enable_user(work, user_id=user)
    return _view(await actions.person_found(work, user))


def _view(one: Account) -> AnyUser:
    return AnyUser(
        id=USER_ID.text(one.id),
        email=one.email,
        name=one.name,
        status=one.status,
        created_at=one.created_at,
        purge_at=one.purge_at,
        disabled_until=one.disabled_until,
        disabled_why=one.disabled_why,
        sessions=one.sessions,
        last_used_at=one.last_used_at,
    )


def _device(one: Device) -> AnyDevice:
    return AnyDevice(
        id=SESSION_ID.text(one.id),
        created_at=one.created_at,
        last_used_at=one.last_used_at,
        expires_at=one.expires_at,
        source=one.source,
        agent=one.agent,
    )
