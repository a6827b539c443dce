"""The audit log over HTTP: read by an organization's admins, or taken away by them as a file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from tenantry.audit import actions, exchanges
from tenantry.audit.models import AUDIT_ID, EXPORT_LIFE, LINK_ID, MEDIA_TYPES, Entry, Filters, Format, Outcome, shown
from tenantry.audit.permissions import AUDIT_READ
from tenantry.audit.problems import AuditExportTooLarge, ExportGone, TooManyAuditExports
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import EVENT_ID, ORG_ID, USER_ID, IdKind
from tenantry.foundation.instants import in_utc
from tenantry.foundation.listing import ListAnswer, ListQuery
from tenantry.foundation.pages import Download
from tenantry.foundation.problems import FieldError, Invalid
from tenantry.foundation.routes import Routes
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork

routes = Routes("audit")

Instant = Annotated[datetime, Meta(tz=True)]
ActorId = Annotated[str, Meta(pattern=f"^{USER_ID.start}", description="Only what this person did.")]
TargetId = Annotated[
    str, Meta(max_length=64, pattern="^[a-z]{2,12}_", description="Only what was done to the thing with this id.")
]
Prefix = Annotated[
    str,
    Meta(
        max_length=100,
        pattern="^[a-z0-9_-]+(:[a-z0-9_-]+){0,2}$",
        description="An action, or where it begins: `orgs`, `orgs:member` or `orgs:member:role_changed`.",
    ),
]
Since = Annotated[datetime, Meta(tz=True, description="Only what happened at this moment or later.")]
Until = Annotated[datetime, Meta(tz=True, description="Only what happened before this moment.")]
LinkToken = Annotated[str, Meta(max_length=100, description="As the link has it.")]
ENTRY = {
    "id": "evt_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "at": "2026-01-02T03:04:05Z",
    "action": "orgs:member:role_changed",
    "outcome": "done",
    "times": 1,
    "actor": {"kind": "person", "id": "usr_01jd4w2q8nf6v9m3x5c7b1r0kt", "name": "Ada Lovelace"},
    "on_behalf_of": None,
    "target": {"kind": "user", "id": "usr_01jd4w2q8nf6v9m3x5c7b1r0ku", "label": "bob@example.com"},
    "address": "203.0.113.7",
    "user_agent": "Mozilla/5.0",
    "request_id": "0199d2e8-7c3a-7f00-8000-000000000000",
    "before": {"role": "member"},
    "after": {"role": "admin"},
}
LINK = {
    "id": "axp_01jd4w2q8nf6v9m3x5c7b1r0kt",
    "url": "https://api.example.com/v1/orgs/org_01jd4w2q8nf6v9m3x5c7b1r0kt/audit-log/export?token=AZOX1vK0c2i0bG9uZw",
    "expires_in": 3600,
}


class AuditActor(Wire):
    """Who did it: a person or an API key by its id, a command, a job or the house by its name, or `anonymous`."""

    kind: str
    id: str | None
    name: str | None


class AuditTarget(Wire):
    """What it was done to; `label` is what it was recognized by, null once that is erased."""

    kind: str
    id: str | None
    label: str | None


class AuditEntry(Wire):
    """What somebody did, or was kept from; what is personal is null once its person is erased."""

    id: Annotated[str, Meta(pattern=f"^({EVENT_ID.start}|{AUDIT_ID.start})", description="That of the event, if one.")]
    at: Instant
    action: Annotated[str, Meta(description="`source:subject:action`.")]
    outcome: Outcome
    times: Annotated[int, Meta(description="How often the same was denied, or read, within the minute.")]
    actor: AuditActor
    on_behalf_of: str | None
    target: AuditTarget | None
    address: str | None
    user_agent: str | None
    request_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditList(ListAnswer):
    """A part of the audit log."""

    items: list[AuditEntry]


class AuditQuery(ListQuery):
    """The newest first; every filter narrows."""

    order: Literal["-at"] = "-at"
    actor: ActorId | UnsetType = UNSET
    action: Prefix | UnsetType = UNSET
    target: TargetId | UnsetType = UNSET
    outcome: Outcome | UnsetType = UNSET
    since: Since | UnsetType = field(default=UNSET, name="from")
    until: Until | UnsetType = field(default=UNSET, name="to")


class NewAuditExport(Wire):
    """The form of the file, and what is to be in it."""

    format: Format
    actor: ActorId | None = None
    action: Prefix | None = None
    target: TargetId | None = None
    outcome: Outcome | None = None
    since: Since | None = field(default=None, name="from")
    until: Until | None = field(default=None, name="to")


class AuditExportLink(Wire):
    """Where the file is, for the person who asked and once."""

    id: Annotated[str, Meta(pattern=f"^{LINK_ID.start}", description="Names an export of the audit log.")]
    url: str
    expires_in: Annotated[int, Meta(description="Seconds until the link is dead.")]


class AuditExportQuery(Wire):
    """Which file; without a token, one that is not there."""

    token: LinkToken = ""


@routes.get("/orgs/{org}/audit-log", requires=AUDIT_READ, answer_example={"items": [ENTRY], "next": None})
async def audit_log(call: Call, query: AuditQuery) -> AuditList:
    """What was done in the organization and denied in it, newest first; that it is read is written down too."""
    found, after = await exchanges.read_log(call, query=query, filters=_filters(query, "query"))
    return AuditList(items=[_view(entry) for entry in found], next=after)


@routes.post(
    "/orgs/{org}/audit-log/export",
    requires=AUDIT_READ,
    status=201,
    problems=(AuditExportTooLarge, TooManyAuditExports),
    example={"format": "csv", "from": "2026-01-01T00:00:00Z"},
    answer_example=LINK,
    # a way to read
    even_restricted=True,
)
async def ask_audit_export(work: OrgWork, body: NewAuditExport) -> AuditExportLink:
    """Ask for the audit log as a file: a link for oneself, for one use and one hour."""
    link_id = await actions.ask_audit_export(work, format=body.format, filters=_filters(body, "body"))
    token = work.runtime.one_time.issue(exchanges.EXPORT(work.org), link_id, 0)
    url = f"{work.runtime.origin}/v1/orgs/{ORG_ID.text(work.org)}/audit-log/export?token={token}"
    return AuditExportLink(id=LINK_ID.text(link_id), url=url, expires_in=int(EXPORT_LIFE.total_seconds()))


@routes.get("/orgs/{org}/audit-log/export", requires=AUDIT_READ, problems=(ExportGone,))
async def take_audit_export(call: Call, query: AuditExportQuery) -> Download:
    """Take the file, newest first; the link is dead with that."""
    org = call.actor.org
    file = await exchanges.take_file(call, token=query.token)
    name = f"audit-log-{ORG_ID.text(org)}.{file.format}" if org else f"audit-log.{file.format}"
    return Download(name, MEDIA_TYPES[file.format], file.content)


def _filters(asked: AuditQuery | NewAuditExport, at: str) -> Filters:
    return Filters(
        actor=_id(_given(asked.actor), USER_ID, f"{at}.actor"),
        action=_given(asked.action),
        target=_id(_given(asked.target), None, f"{at}.target"),
        outcome=_given(asked.outcome),
        since=_instant(_given(asked.since), f"{at}.from"),
        until=_instant(_given(asked.until), f"{at}.to"),
    )


def _given(content: Any) -> Any:
    return None if content is UNSET else content


def _instant(given: datetime | None, at: str) -> datetime | None:
    return None if given is None else in_utc(given, at)


def _id(text: str | None, kind: IdKind | None, at: str) -> UUID | None:
    if text is None:
        return None
    found = (kind or IdKind(text.partition("_")[0])).read(text)
    if found is None:
        raise Invalid(errors=(FieldError(at, "is not an id"),))
    return found


def _view(entry: Entry) -> AuditEntry:
    said = shown(entry)
    return AuditEntry(
        id=said.id,
        at=said.at,
        action=said.action,
        outcome=said.outcome,
        times=said.times,
        actor=AuditActor(kind=entry.actor_kind, id=said.actor["id"], name=said.actor["name"]),
        on_behalf_of=said.on_behalf_of,
        target=_target(said.target),
        address=said.address,
        user_agent=said.user_agent,
        request_id=said.request_id,
        before=dict(said.before) if said.before else None,
        after=dict(said.after) if said.after else None,
    )


def _target(said: Mapping[str, str | None] | None) -> AuditTarget | None:
    return None if said is None else AuditTarget(kind=said["kind"] or "", id=said["id"], label=said["label"])
