"""What an operator does about somebody's account, beyond what the house's verbs refuse by themselves."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from tenantry.accounts.actions import ask_password_reset, disable_user, revoke_sessions
from tenantry.accounts.events import SessionEnded, UserDisabled
from tenantry.admin import queries
from tenantry.admin.actions.looking import person_found
from tenantry.admin.models.operators import may_act_on
from tenantry.admin.permissions import SUPPORT
from tenantry.admin.problems import HigherOperator
from tenantry.foundation.action import action
from tenantry.foundation.net.address import read_address
from tenantry.foundation.operating import OperatorWork
from tenantry.foundation.permission import HOUSE


@action(requires=HOUSE, records=(UserDisabled, SessionEnded))
async def keep_person_out(work: OperatorWork, *, user_id: UUID, why: str, until: datetime | None) -> None:
    """Keep a person out until an instant, or until they are let in; nobody does so to an operator above themselves."""
    await _check_rank(work, user_id)
    await disable_user(work, user_id=user_id, why=why, until=until)


@action(requires=HOUSE, records=SessionEnded)
async def sign_person_out(work: OperatorWork, *, user_id: UUID) -> None:
    """Sign a person out of every device; nobody does so to an operator above themselves."""
    await person_found(work, user_id)
    await _check_rank(work, user_id)
    await revoke_sessions(work, user_id=user_id)


@action(requires=SUPPORT)
async def mail_reset(work: OperatorWork, *, user_id: UUID) -> None:
    """Have a person be sent a link that sets a new password."""
    found = await person_found(work, user_id)
    await ask_password_reset(work, address=read_address(found.email))
    work.note("admin:person:sent_reset", target=("user", user_id), after={})


async def _check_rank(work: OperatorWork, user_id: UUID) -> None:
    other = await queries.operator(work, user_id=user_id)
    if not may_act_on(work.role, None if other is None else other.role):
        raise HigherOperator
