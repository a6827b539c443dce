"""Gathering what the house holds about a person, and handing it to them: sealed in between."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.accounts import actions, queries
from tenantry.accounts.exchanges.tokens import genuine
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.permission import HOUSE, ONESELF
from tenantry.foundation.security.sealing import place
from tenantry.foundation.work import PersonWork, SystemWork

EXPORT = "take an export"
MAX_EXPORT = 8 * 1024 * 1024
"""Bytes of an export as JSON."""
GATHER = "a job gathers what the house holds about the person who asked"


class ExportTooLarge(Exception):
    """What is held about a person does not fit into one export."""


@exchange(requires=HOUSE)
async def gather_export(call: Call, *, export_id: UUID) -> bytes | None:
    """Ask every domain what it holds about the person, and seal it; None if nobody waits for it any more."""
    async with SystemWork(call, reason=GATHER, reading=True) as work:
        user_id = await queries.person_of_export(work, export_id=export_id)
        if user_id is None:
            return None
        held = msgspec.json.encode(await actions.what_is_held.ask(work, user_id))
    if len(held) > MAX_EXPORT:
        raise ExportTooLarge(f"{len(held)} bytes, {MAX_EXPORT} is the limit")
    return call.runtime.sealer.seal(held, aad=_place(export_id))


@exchange(requires=ONESELF)
async def take_export(call: Call, *, token: str) -> dict[str, object]:
    """Hand a person their export for the mailed token, once.

    The token alone would give everything to whoever reads the mail, the session alone to whoever holds the device for
    a moment: it takes both.
    """
    export_id = genuine(call, EXPORT, token)
    async with PersonWork(call) as work:
        sealed = await actions.take_export(work, export_id=export_id)
        # opened before the commit: what cannot be opened is not taken either
        held: dict[str, object] = msgspec.json.decode(call.runtime.sealer.open(sealed, aad=_place(export_id)))
        return held


def _place(export_id: UUID) -> str:
    return place("exports", "sealed", org=None, row=export_id)
