"""New passwords: judged, hashed with no connection held, and set."""

from __future__ import annotations

from collections.abc import Sequence

from tenantry.accounts import actions, queries
from tenantry.accounts.exchanges.proving import prove_recently
from tenantry.accounts.exchanges.tokens import BEFORE_LOGIN, genuine
from tenantry.accounts.problems import LinkInvalid, WeakPassword
from tenantry.foundation.action import exchange
from tenantry.foundation.call import Call
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import ANYONE, ONESELF
from tenantry.foundation.security.strength import judge
from tenantry.foundation.work import SystemWork

RESET = "new password"
CREDENTIALS = "credentials are the house's alone"


def refuse_weak(call: Call, password: str, *, about: Sequence[str], at: str = "body.password") -> None:
    """Say everything that speaks against a password, if anything does."""
    if reasons := judge(password, context=(*about, call.runtime.settings.product_name)):
        raise WeakPassword([(reason.value, reason.sentence) for reason in reasons], at=at)


@exchange(requires=ANYONE)
async def forgot_password(call: Call, *, address: MailAddress) -> None:
    """Ask for a link that sets a new password; the answer tells nothing."""
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        await actions.ask_password_reset(work, address=address)


@exchange(requires=ANYONE)
async def reset_password(call: Call, *, token: str, password: str) -> str:
    """Set a new password with a mailed link, once, and give the address; every device is signed out."""
    reset_id = genuine(call, RESET, token)
    async with SystemWork(call, reason=BEFORE_LOGIN, reading=True) as work:
        user = await queries.user_of_reset(work, reset_id=reset_id)
    if user is None:
        raise LinkInvalid
    refuse_weak(call, password, about=(user.email, user.name))
    hashed = await _hashed(call, password)
    async with SystemWork(call, reason=BEFORE_LOGIN) as work:
        await actions.reset_password(work, user_id=user.id, reset_id=reset_id, password_hash=hashed)
    return user.email


@exchange(requires=ONESELF)
async def change_password(call: Call, *, password: str | None, new_password: str) -> None:
    """Set a new password while signed in; this device stays signed in, and no other."""
    user, session_id = await prove_recently(call, password)
    refuse_weak(call, new_password, about=(user.email, user.name), at="body.new_password")
    hashed = await _hashed(call, new_password)
    async with SystemWork(call, reason=CREDENTIALS) as work:
        await actions.set_password(work, user_id=user.id, password_hash=hashed, by_link=False, keep=session_id)


async def _hashed(call: Call, password: str) -> str:
    await call.runtime.passwords.admit()
    return await call.runtime.passwords.hash(password)
