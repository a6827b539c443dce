"""Organizations beside fastapi-users, written as its documentation and SQLAlchemy's would have one write them.

The rows are Tenantry's: members with a role, invites, an event and a job in the commit of what made them.
"""

# no postponed annotations here: the framework could not resolve those that name what is local to a function
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, EmailStr
from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def now() -> datetime:
    """The present, as a column's default."""
    return datetime.now(UTC).replace(tzinfo=None)


def tables(base: type[DeclarativeBase]) -> dict[str, Any]:
    """The models, on the application's own base."""

    class Org(base):  # type: ignore[misc, valid-type]
        __tablename__ = "org"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
        name: Mapped[str] = mapped_column(String(200))

    class Member(base):  # type: ignore[misc, valid-type]
        __tablename__ = "member"
        org_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("org.id"), primary_key=True)
        user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"), primary_key=True, index=True)
        role: Mapped[str] = mapped_column(String(20))
        joined_at: Mapped[datetime] = mapped_column(default=now)

    class Invite(base):  # type: ignore[misc, valid-type]
        __tablename__ = "invite"
        __table_args__ = (Index("one_pending", "org_id", "email", unique=True),)
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
        org_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("org.id"))
        email: Mapped[str] = mapped_column(String(320))
        role: Mapped[str] = mapped_column(String(20))
        status: Mapped[str] = mapped_column(String(20), default="pending")
        expires_at: Mapped[datetime] = mapped_column(default=lambda: now() + timedelta(days=7))
        invited_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))

    class Event(base):  # type: ignore[misc, valid-type]
        __tablename__ = "event"
        id: Mapped[int] = mapped_column(primary_key=True)
        at: Mapped[datetime] = mapped_column(default=now)
        org_id: Mapped[uuid.UUID | None]
        kind: Mapped[str] = mapped_column(String(80))
        payload: Mapped[dict[str, Any]] = mapped_column(JSONB)

    class Job(base):  # type: ignore[misc, valid-type]
        __tablename__ = "job"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
        run_at: Mapped[datetime] = mapped_column(default=now, index=True)
        kind: Mapped[str] = mapped_column(String(80))
        args: Mapped[dict[str, Any]] = mapped_column(JSONB)

    return {"Member": Member, "Invite": Invite, "Event": Event, "Job": Job}


class MemberRead(BaseModel):
    """A person in an organization."""

    user_id: uuid.UUID
    email: str
    role: str
    joined_at: datetime


class MemberList(BaseModel):
    """The first members, and whether there are more."""

    items: list[MemberRead]
    next: str | None


class InviteCreate(BaseModel):
    """Whom to invite, and as what."""

    email: EmailStr
    role: str


class InviteRead(BaseModel):
    """A pending invite."""

    id: uuid.UUID
    email: str
    role: str
    status: str
    expires_at: datetime


def router(user_model: Any, current_user: Any, session: Any, base: type[DeclarativeBase]) -> APIRouter:
    """The two operations that are compared."""
    made = tables(base)
    member, invite, event, job = made["Member"], made["Invite"], made["Event"], made["Job"]
    routes = APIRouter(prefix="/orgs/{org_id}")
    Opened = Annotated[AsyncSession, Depends(session)]

    async def membership(org_id: uuid.UUID, opened: Opened, user: Annotated[Any, Depends(current_user)]) -> Any:
        query = select(member).where(member.org_id == org_id, member.user_id == user.id)
        found = (await opened.execute(query)).scalar_one_or_none()
        if found is None:
            raise HTTPException(404)
        return found

    @routes.get("/members")
    async def members(org_id: uuid.UUID, opened: Opened, own: Annotated[Any, Depends(membership)]) -> MemberList:
        query = (
            select(member, user_model)
            .join(user_model, user_model.id == member.user_id)
            .where(member.org_id == org_id)
            .order_by(member.joined_at, member.user_id)
            .limit(21)
        )
        rows = (await opened.execute(query)).all()
        items = [
            MemberRead(user_id=user.id, email=user.email, role=one.role, joined_at=one.joined_at)
            for one, user in rows[:20]
        ]
        return MemberList(items=items, next=str(rows[19][0].user_id) if len(rows) > 20 else None)

    @routes.post("/invites", status_code=201)
    async def invite_person(
        org_id: uuid.UUID, body: InviteCreate, opened: Opened, own: Annotated[Any, Depends(membership)]
    ) -> InviteRead:
        if own.role not in {"owner", "admin"}:
            raise HTTPException(403)
        known = (
            select(member.user_id)
            .join(user_model, user_model.id == member.user_id)
            .where(member.org_id == org_id, user_model.email == body.email)
        )
        if (await opened.execute(known)).first() is not None:
            raise HTTPException(409)
        made = invite(org_id=org_id, email=body.email, role=body.role, invited_by=own.user_id)
        opened.add(made)
        await opened.flush()
        payload = {"org_id": str(org_id), "invite_id": str(made.id), "role": body.role}
        opened.add(event(org_id=org_id, kind="invite_sent", payload=payload))
        opened.add(job(kind="mail_invite", args=payload))
        await opened.commit()
        return InviteRead(id=made.id, email=made.email, role=made.role, status=made.status, expires_at=made.expires_at)

    return routes
