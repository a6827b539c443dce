"""The table as an ORM sees it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Table(DeclarativeBase):
    """A table in the plugin's schema."""

    metadata = MetaData(schema="memos")


class MemoRow(Table):
    """Something a person wants to remember."""

    __tablename__ = "memos"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    text: Mapped[str]
    more: Mapped[dict[str, Any]] = mapped_column(JSONB)
