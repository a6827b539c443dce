"""Taking one's data away over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from tenantry.accounts import actions, exchanges
from tenantry.accounts.http.shapes import routes
from tenantry.accounts.inputs import TokenText
from tenantry.accounts.models import EXPORT_ID
from tenantry.accounts.problems import LinkInvalid, TooManyExports
from tenantry.foundation.call import Call
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork


class ExportView(Wire):
    """An export that is on its way to its person."""

    id: Annotated[str, Meta(pattern=f"^{EXPORT_ID.start}", description="Names an export.")]
    status: Literal["gathering", "ready"]


class MailedExport(Wire):
    """The token of the mail that said that an export is ready."""

    token: TokenText


class ExportDocument(Wire):
    """What the house holds about a person."""

    sections: Annotated[dict[str, Any], Meta(description="By name; which there are depends on the domains installed.")]


@routes.post(
    "/users/me/exports",
    requires=ONESELF,
    status=202,
    problems=(TooManyExports,),
    answer_example={"id": "exp_01jd4w2q8nf6v9m3x5c7b1r0kt", "status": "gathering"},
    even_closed=True,
)
async def ask_export(work: PersonWork) -> ExportView:
    """Ask for everything that is held about oneself; a mail with a link follows when it is gathered."""
    export = await actions.ask_export(work)
    return ExportView(id=EXPORT_ID.text(export.id), status="ready" if export.ready else "gathering")


@routes.post(
    "/users/me/exports/download",
    requires=ONESELF,
    problems=(LinkInvalid,),
    example={"token": "AZOX1vK0c2i0bG9uZw.c2lnbmF0dXJl"},
    answer_example={"sections": {"profile": {"name": "Ada Lovelace"}}},
    even_closed=True,
)
async def take_export(call: Call, body: MailedExport) -> ExportDocument:
    """Take one's export away with the mailed token, which works once and for 24 hours."""
    return ExportDocument(sections=await exchanges.take_export(call, token=body.token))
