"""The page of one's devices."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from tenantry.accounts import actions, exchanges, queries
from tenantry.accounts.models import SESSION_IDLE, Device
from tenantry.accounts.pages.forms import Done, pages
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import SESSION_ID
from tenantry.foundation.listing import ListQuery
from tenantry.foundation.pages import SeeOther, Values
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.problems import NotFound
from tenantry.foundation.wire import Wire
from tenantry.foundation.work import PersonWork

NOTICES = {"one": "The device is signed out.", "others": "Your other devices are signed out."}


class SigningOut(Wire):
    """Which device to sign out; without one, all the others."""

    session: str = ""


@pages.get("/account/devices", title="Your devices", template="devices", requires=ONESELF)
async def devices_page(work: PersonWork, query: Done) -> Values:
    """Show the devices that are signed in, the one used last first; no more are signed in at a time than one page."""
    zone = ZoneInfo((await queries.oneself(work)).timezone)
    found, _ = await queries.devices.read(work, ListQuery(order="-last_used_at"), idle=SESSION_IDLE)
    shown = [_shown(device, work.session_id, zone) for device in found]
    return {"devices": shown, "zone": zone.key, "notice": NOTICES.get(query.done)}


@pages.post("/account/devices", requires=ONESELF)
async def sign_out_device(call: Call, form: SigningOut) -> SeeOther:
    """Sign out one device, or all the others."""
    if not form.session:
        await exchanges.logout(call, scope="others", refresh_token=None)
        return SeeOther("/account/devices?done=others")
    session_id = SESSION_ID.read(form.session)
    if session_id is None:
        raise NotFound
    async with PersonWork(call) as work:
        await actions.end_device(work, session_id=session_id)
    return SeeOther("/account/devices?done=one")


def _shown(device: Device, current: UUID, zone: ZoneInfo) -> Values:
    return {
        "id": SESSION_ID.text(device.id),
        "current": device.id == current,
        "agent": device.agent or "Unknown device",
        "source": device.source,
        "last_used_at": _local(device.last_used_at, zone),
        "created_at": _local(device.created_at, zone),
    }


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"
