"""Instants as people give them: in UTC from here on, which no offset may lead out of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

from tenantry.foundation.problems import FieldError, Invalid


def read_instant(text: str) -> datetime:
    """An instant that somebody typed, in UTC where it has no offset; ValueError for what is none."""
    found = datetime.fromisoformat(text)
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("is out of the calendar") from error


def in_utc(given: datetime, at: str) -> datetime:
    """An instant of a request in UTC; Invalid, naming where it stands, for one out of the calendar."""
    try:
        return given.astimezone(UTC)
    except OverflowError as error:
        raise Invalid(errors=(FieldError(at, "is out of range"),)) from error
