"""The audit log as a file: the link is used first, then what it leads to is read page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from tenantry.audit import actions, queries
from tenantry.audit.models import Entry, Export, Filters, Format, csv_header, csv_line, jsonl_line, shown
from tenantry.audit.permissions import AUDIT_READ
from tenantry.audit.problems import ExportGone
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.problems import NotFound
from tenantry.foundation.security.tokens import BadToken
from tenantry.foundation.work import OrgWork

ROWS_A_PAGE = 1000
Page = Callable[[datetime | None, UUID | None], Awaitable[list[Entry]]]
"""Reads the entries that come after one."""


class File(msgspec.Struct, frozen=True):
    """A finished file."""

    format: Format
    content: bytes


def EXPORT(org: UUID) -> str:
    """What the token of a link is for: files of one organization's log."""
    return f"audit export of {org}"


@exchange(requires=AUDIT_READ)
async def take_file(call: Call, *, token: str) -> File:
    """What a link leads to, for the person who asked for it and once."""
    org = call.actor.org
    if org is None:
        raise NotFound
    link_id = _genuine(call, org, token)
    async with OrgWork(call, org) as work:
        export = await actions.take_audit_export(work, link_id=link_id)
    lines = [line async for line in written(export.format, _pages_of(call, org, export))]
    return File(export.format, b"".join(lines))


def _genuine(call: Call, org: UUID, token: str) -> UUID:
    one_time = call.runtime.one_time
    try:
        link_id = one_time.read(token)
    except BadToken as error:
        raise ExportGone from error
    if not one_time.verify(EXPORT(org), link_id, 0, token):
        raise ExportGone
    return link_id


def _pages_of(call: Call, org: UUID, export: Export) -> Page:
    filters = msgspec.json.decode(export.filters, type=Filters)
    until = min(filters.until or export.asked_at, export.asked_at)
    given: dict[str, Any] = filters.given() | {"until": until, "rows": ROWS_A_PAGE}

    async def page(at: datetime | None, row_id: UUID | None) -> list[Entry]:
        # a work for each, so that a long file does not keep a connection from others
        async with OrgWork(call, org, reading=True) as work:
            work.require(AUDIT_READ)
            return await queries.entries_newest_first(work, after_key=at, after_id=row_id, **given)

    return page


async def written(format: Format, page: Page) -> AsyncIterator[bytes]:
    """The lines of a file, a page at a time."""
    if format == "csv":
        yield csv_header()
    line = csv_line if format == "csv" else jsonl_line
    found = await page(None, None)
    while found:
        yield b"".join(line(shown(entry)) for entry in found)
        found = await page(found[-1].at, found[-1].id) if len(found) == ROWS_A_PAGE else []
