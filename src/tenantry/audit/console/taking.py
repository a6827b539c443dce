"""Taking the audit log away from the console's page of it: a file for oneself, asked for first and taken once."""

from __future__ import annotations

import msgspec

from tenantry.audit import actions, exchanges
from tenantry.audit.console.frame import LOG, Chosen, Typed, filters, pages
from tenantry.audit.models import EXPORT_LIFE, MEDIA_TYPES, Format
from tenantry.audit.permissions import AUDIT_READ
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import ORG_ID
from tenantry.foundation.pages import Download, Receipt
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork


class NewFile(Wire):
    """The form of the file, and what is to be in it."""

    format: Format = "csv"
    actor: Typed = ""
    action: Typed = ""
    target: Typed = ""
    outcome: Chosen = ""
    since: Typed = msgspec.field(default="", name="from")
    until: Typed = msgspec.field(default="", name="to")


class Token(Wire):
    """Which file to take."""

    token: Typed = ""


# a way to read, both of them
@pages.post(f"{LOG}/export", of=LOG, requires=AUDIT_READ, even_restricted=True)
async def ask_file(work: OrgWork, form: NewFile) -> Receipt:
    """Ask for what the filters find as a file, for oneself and once."""
    link_id = await actions.ask_audit_export(work, format=form.format, filters=filters(form, "form"))
    token = work.runtime.one_time.issue(exchanges.EXPORT(work.org), link_id, 0)
    minutes = int(EXPORT_LIFE.total_seconds()) // 60
    return Receipt("audit_file", {"token": token, "format": form.format, "minutes": minutes})


@pages.post(f"{LOG}/file", of=LOG, requires=AUDIT_READ, even_restricted=True)
async def take_file(call: Call, form: Token) -> Download:
    """Take the file; asking for it again is asking anew."""
    file = await exchanges.take_file(call, token=form.token)
    org = call.actor.org
    name = f"audit-log-{ORG_ID.text(org)}.{file.format}" if org else f"audit-log.{file.format}"
    return Download(name, MEDIA_TYPES[file.format], file.content)
