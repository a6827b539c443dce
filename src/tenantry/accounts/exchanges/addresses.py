"""New addresses: asked for by somebody who is surely the person, and confirmed by a link."""

from __future__ import annotations

from tenantry.accounts import actions
from tenantry.accounts.exchanges.proving import prove_recently
from tenantry.accounts.exchanges.tokens import genuine
from tenantry.accounts.models import User
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import ONESELF
from tenantry.foundation.work import PersonWork, SystemWork

CHANGE = "change address"
ADDRESSES = "whether somebody else has an address is known to the house only"


@exchange(requires=ONESELF)
async def ask_address_change(call: Call, *, address: MailAddress, password: str | None) -> None:
    """Ask for another address; it is mailed a link, and the one before a notice."""
    user, _ = await prove_recently(call, password)
    async with SystemWork(call, reason=ADDRESSES) as work:
        await actions.ask_address_change(work, user_id=user.id, address=address)


@exchange(requires=ONESELF)
async def confirm_address(call: Call, *, token: str) -> User:
    """Prove the new address with the link that it was mailed; only the person who asked can."""
    change_id = genuine(call, CHANGE, token)
    async with PersonWork(call, reading=True) as person:
        user_id, session_id = person.person, person.session_id
    async with SystemWork(call, reason=ADDRESSES) as work:
        return await actions.change_address(work, user_id=user_id, session_id=session_id, change_id=change_id)
