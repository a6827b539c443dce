"""What reading the audit log in the console and taking it away have in common: where it is, and its filters."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Protocol
from uuid import UUID

from msgspec import Meta

from tenantry.audit.models import Filters, Outcome
from tenantry.foundation.data.ids import USER_ID, IdKind
from tenantry.foundation.instants import read_instant
from tenantry.foundation.pages import ConsolePages
from tenantry.foundation.problems import FieldError, Invalid

LOG = "/console/orgs/{org}/audit-log"

pages = ConsolePages("audit", Path(__file__).parent / "templates", menu={LOG: "Audit log"})

Typed = Annotated[str, Meta(max_length=100)]
Chosen = Outcome | Literal[""]


class Asked(Protocol):
    """Filters as they were typed; one that is empty does not narrow."""

    actor: str
    action: str
    target: str
    outcome: Chosen
    since: str
    until: str


def filters(asked: Asked, at: str) -> Filters:
    """The filters; Invalid names one that is none."""
    return Filters(
        actor=_id(asked.actor.strip(), USER_ID, f"{at}.actor"),
        action=asked.action.strip() or None,
        target=_id(asked.target.strip(), None, f"{at}.target"),
        outcome=asked.outcome or None,
        since=_moment(asked.since.strip(), f"{at}.from"),
        until=_moment(asked.until.strip(), f"{at}.to"),
    )


def typed(asked: Asked) -> dict[str, str]:
    """The filters as they are asked for again, without the empty ones."""
    given = {
        "actor": asked.actor, "action": asked.action, "target": asked.target, "outcome": asked.outcome,
        "from": asked.since, "to": asked.until,
    }  # fmt: skip
    return {name: text for name, text in given.items() if text}


def _id(text: str, kind: IdKind | None, at: str) -> UUID | None:
    if not text:
        return None
    found = (kind or IdKind(text.partition("_")[0])).read(text)
    if found is None:
        raise Invalid(errors=(FieldError(at, f"is no id such as {(kind or USER_ID).start}01jd4w2q8nf6v9m3x5c7b1r0kt"),))
    return found


def _moment(text: str, at: str) -> datetime | None:
    try:
        return read_instant(text) if text else None
    except ValueError as error:
        raise Invalid(errors=(FieldError(at, "is no moment such as 2026-01-02T03:04"),)) from error
