"""An operator signs people out: one of them, or everybody, a batch a commit, because there may be too many for one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tenantry.accounts import actions, queries
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.net.address import read_address
from tenantry.foundation.permission import HOUSE
from tenantry.foundation.problems import Invalid, NotFound
from tenantry.foundation.work import SystemWork

NOT_TRUSTED = "an operator ends sessions that are not trusted any more"
FIRST = UUID(int=0)


@exchange(requires=HOUSE)
async def sign_out(call: Call, *, person: str) -> int:
    """Sign a person, named by address or id, out of every device; says of how many."""
    user_id = USER_ID.read(person)
    async with SystemWork(call, reason=NOT_TRUSTED) as work:
        known = await queries.person_named(work, user_id=user_id, email_key=None if user_id else key_of(person))
        if known is None:
            raise NotFound("There is no such person.")
        return await actions.revoke_sessions(work, user_id=known)


def key_of(text: str) -> str:
    """What an operator typed for an address, as addresses are compared; `NotFound` for what is none."""
    try:
        return read_address(text).key
    except Invalid as error:
        raise NotFound("There is no such person: this is neither an address nor an id.") from error


@exchange(requires=HOUSE)
async def sign_out_everybody(call: Call) -> int:
    """Sign out every device that is signed in now; stopped half way and asked for again, it goes on."""
    async with SystemWork(call, reason=NOT_TRUSTED) as work:
        now, elsewhere = await queries.moment(work), await actions.sign_out_elsewhere.ask(work, None)
    assert now is not None
    total = ended = await _go_through(call, before=now)
    # a sign-in that had begun may be committed behind us
    while ended:
        ended = await _go_through(call, before=now)
        total += ended
    return total + elsewhere


async def _go_through(call: Call, *, before: datetime) -> int:
    ended, after = 0, FIRST
    while True:
        async with SystemWork(call, reason=NOT_TRUSTED) as work:
            batch = await actions.revoke_sessions_of_everybody(work, before=before, after=after)
        if batch.last is None:
            return ended
        ended, after = ended + batch.ended, batch.last
