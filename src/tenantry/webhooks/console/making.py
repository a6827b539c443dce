"""The console's page on which a webhook endpoint is made."""

from __future__ import annotations

from tenantry.foundation.call import Call
from tenantry.foundation.pages import Receipt, Values
from tenantry.foundation.problems import NotFound
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import OrgWork
from tenantry.webhooks import exchanges
from tenantry.webhooks.console.frame import NEW, Lines, pages, receipt, told, types
from tenantry.webhooks.inputs import Description, EndpointUrl
from tenantry.webhooks.permissions import WEBHOOKS_WRITE


class NewEndpoint(Wire):
    """Where to send to, and what, a type a line; without any, everything."""

    url: EndpointUrl
    events: Lines = ""
    description: Description = ""


@pages.get(NEW, title="New webhook endpoint", template="webhook_new", requires=WEBHOOKS_WRITE)
async def new_endpoint_page(work: OrgWork) -> Values:
    """Ask where to send to, and what."""
    return {"types": told(work.runtime)}


@pages.post(NEW, requires=WEBHOOKS_WRITE)
async def create(call: Call, form: NewEndpoint) -> Receipt:
    """Have the organization told what happens at one more place."""
    made = await exchanges.create_endpoint(
        call, url=form.url, events=types(form.events), description=form.description, headers={}, ordered=False,
        payload_version=None,
    )  # fmt: skip
    if call.actor.org is None:
        raise NotFound
    return receipt(call.actor.org, made)
