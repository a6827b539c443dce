"""The table of tags as SQLAlchemy sees it."""

from uuid import UUID

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Row(DeclarativeBase):
    """A table of notes."""


class Tag(Row):
    """A hashtag in a note."""

    __tablename__ = "tags"
    __table_args__ = {"schema": "notes"}  # noqa: RUF012  (as SQLAlchemy wants it)

    org_id: Mapped[UUID] = mapped_column(primary_key=True)
    note_id: Mapped[UUID] = mapped_column(primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)
