"""Signing an operator in: a password is verified between two transactions, as at every login."""

from __future__ import annotations

from uuid import UUID

import msgspec

from tenantry.accounts.exchanges import try_password
from tenantry.admin import actions, queries
from tenantry.admin.models.operators import SESSION_LIFE, Operator
from tenantry.foundation.action import Refusal, exchange
from tenantry.foundation.call import Call
from tenantry.foundation.data.ids import SESSION_ID, USER_ID
from tenantry.foundation.net.address import MailAddress
from tenantry.foundation.permission import ANYONE
from tenantry.foundation.security.keyring import OPERATORS
from tenantry.foundation.work import SystemWork


class OperatorIn(msgspec.Struct, frozen=True):
    """An operator's session, and the access token that is good for as long as it."""

    session_id: UUID
    access_token: str
    expires_in: int
    operator: Operator


@exchange(requires=ANYONE)
async def operator_login(call: Call, *, address: MailAddress, password: str) -> OperatorIn | Refusal:
    """Sign in as an operator; whoever is none is answered, and kept waiting, as for a wrong password."""
    tried = await try_password(call, email_key=address.key, password=password)
    if isinstance(tried, Refusal):
        return tried
    async with SystemWork(call, reason="nobody is signed in yet") as work:
        begun = await actions.sign_operator_in(work, credential=tried.credential)
        return begun if isinstance(begun, Refusal) else await _handed(work, tried.credential.user_id, begun)


async def _handed(work: SystemWork, user_id: UUID, session_id: UUID) -> OperatorIn:
    operator = await queries.operator(work, user_id=user_id)
    assert operator is not None
    claims = {"subject": USER_ID.text(user_id), "session": SESSION_ID.text(session_id)}
    # before the commit: where there is no key to sign with, nothing has happened
    token, life = work.runtime.keys.issue(claims, audience=OPERATORS, life=int(SESSION_LIFE.total_seconds()))
    return OperatorIn(session_id, token, life, operator)
