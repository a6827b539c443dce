"""Links to the audit log as a file: asked for by a person in an organization, used once by the same."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.audit import queries
from tenantry.audit.events import AuditExportAsked, AuditExportTaken
from tenantry.audit.models import EXPORT_LIFE, MOST_LINKS, MOST_ROWS, Export, Filters, Format
from tenantry.audit.permissions import AUDIT_READ
from tenantry.audit.problems import AuditExportTooLarge, ExportGone, TooManyAuditExports
from tenantry.foundation.action import action
from tenantry.foundation.data.ids import new_id
from tenantry.foundation.data.sql import maybe, run, value
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.work import OrgWork, SystemWork

# row security shows this person's in this organization only; two at once may both find room for the last one
live_links = value(
    int, "select count(*) from tenantry.audit_exports where used_at is null and expires_at > tenantry.now()"
)

keep_link = run("""
    insert into tenantry.audit_exports (org_id, id, person_id, format, filters, expires_at)
    values (tenantry.org(), :id, tenantry.person(), :format, :filters::text::jsonb,
            tenantry.now() + :life::interval)
""")


@action(requires=AUDIT_READ, records=AuditExportAsked)
async def ask_audit_export(work: OrgWork, *, format: Format, filters: Filters) -> UUID:
    """Ask for a link to what the filters find, as it is now; one that finds too much is refused at once."""
    if (await live_links(work) or 0) >= MOST_LINKS:
        raise TooManyAuditExports(retry_after=60)
    if (await queries.entries_up_to(work, most=MOST_ROWS + 1, **filters.given()) or 0) > MOST_ROWS:
        raise AuditExportTooLarge
    link_id = new_id()
    said = msgspec.json.encode(filters).decode()
    await keep_link(work, id=link_id, format=format, filters=said, life=EXPORT_LIFE)
    work.record(AuditExportAsked(org_id=work.org, user_id=work.person, link_id=link_id, format=format))
    return link_id


use_link = maybe(
    Export,
    """
    update tenantry.audit_exports
       set used_at = tenantry.now()
     where org_id = tenantry.org()
       and person_id = tenantry.person()
       and id = :link_id
       and used_at is null
       and expires_at > tenantry.now()
 returning format, filters::text as filters, asked_at
    """,
    not_null=("filters",),
)


@action(requires=AUDIT_READ, records=AuditExportTaken)
async def take_audit_export(work: OrgWork, *, link_id: UUID) -> Export:
    """Use a link; it is dead with that, whether or not the file arrives."""
    export = await use_link(work, link_id=link_id)
    if export is None:
        raise ExportGone
    work.record(AuditExportTaken(org_id=work.org, user_id=work.person, link_id=link_id, format=export.format))
    return export


remove_old = run("delete from tenantry.audit_exports where expires_at < tenantry.now()")


@action(requires=HOUSE)
async def remove_old_audit_exports(work: SystemWork) -> int:
    """Remove links whose time is over; says how many."""
    return await remove_old(work)
