"""A fastapi-users application as its documentation sets one up: SQLAlchemy, JWT bearer, the user looked up.

Only what the comparison needs is fixed: Argon2id parameters, the pool's size, no access log.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users.password import PasswordHelper
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

import orgs

SECRET = os.environ["PEER_SECRET"]
POOL = int(os.environ["PEER_POOL"])

engine = create_async_engine(os.environ["PEER_DATABASE_URL"], pool_size=POOL, max_overflow=0)
new_session = async_sessionmaker(engine, expire_on_commit=False)
argon2id = Argon2Hasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)


class Base(DeclarativeBase):
    """The peer's own tables."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """A user, with the columns that fastapi-users brings."""


class UserRead(schemas.BaseUser[uuid.UUID]):
    """What `/users/me` answers."""


class UserCreate(schemas.BaseUserCreate):
    """What `/auth/register` takes."""


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """Verbs on users; nothing is overridden."""

    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


async def session() -> AsyncIterator[AsyncSession]:
    """A database session for one request."""
    async with new_session() as opened:
        yield opened


async def user_database(opened: Annotated[AsyncSession, Depends(session)]) -> AsyncIterator[object]:
    """The adapter to the users' table."""
    yield SQLAlchemyUserDatabase(opened, User)


async def user_manager(
    database: Annotated[SQLAlchemyUserDatabase[User, uuid.UUID], Depends(user_database)],
) -> AsyncIterator[UserManager]:
    """The manager for one request."""
    yield UserManager(database, PasswordHelper(PasswordHash((argon2id,))))


def strategy() -> JWTStrategy[User, uuid.UUID]:
    """Signed tokens, valid for an hour."""
    return JWTStrategy(secret=SECRET, lifetime_seconds=3600)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Make the tables before the first request."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


backend = AuthenticationBackend(name="jwt", transport=BearerTransport(tokenUrl="auth/jwt/login"), get_strategy=strategy)
users = FastAPIUsers[User, uuid.UUID](user_manager, [backend])
app = FastAPI(lifespan=lifespan)
app.include_router(users.get_auth_router(backend), prefix="/auth/jwt")
app.include_router(users.get_register_router(UserRead, UserCreate), prefix="/auth")
app.include_router(users.get_users_router(UserRead, schemas.BaseUserUpdate), prefix="/users")
app.include_router(orgs.router(User, users.current_user(active=True), session, Base))
