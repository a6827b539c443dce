"""Operators at the command line: the only place where somebody becomes one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

import msgspec

from tenantry.accounts.exchanges import key_of
from tenantry.accounts.queries import person_named
from tenantry.admin import actions, queries
from tenantry.admin.models.operators import Operator, is_role
from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.data.ids import USER_ID
from tenantry.foundation.permission import OPERATORS, OperatorRole
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import SystemWork

WHO = "whoever reaches the machine says who operates it"
User = Annotated[str, Option("Address or id of a person with an account.")]


class OperatorShown(msgspec.Struct, frozen=True):
    """An operator, and since when with this role."""

    user: str
    email: str
    name: str
    role: str
    granted_at: datetime


class OperatorsShown(msgspec.Struct, frozen=True):
    """All operators."""

    operators: list[OperatorShown]


class OperatorGone(msgspec.Struct, frozen=True):
    """Who is no operator any more."""

    user: str


async def add(
    call: Call, *, user: User, role: Annotated[str, Option("viewer, support or admin; each may do more.")]
) -> OperatorShown:
    """Make a person an operator, or give one another role."""
    if not is_role(role):
        raise BadUsage(f"--role is one of {', '.join(OPERATORS)}")
    async with SystemWork(call, reason=WHO) as work:
        user_id = await _person(work, user)
        await actions.add_operator(work, user_id=user_id, role=cast(OperatorRole, role))
        operator = await queries.operator(work, user_id=user_id)
    assert operator is not None
    return _shown(operator)


async def show(call: Call) -> OperatorsShown:
    """Show who the operators are."""
    async with SystemWork(call, reason=WHO, reading=True) as work:
        return OperatorsShown([_shown(one) for one in await queries.operators(work)])


async def remove(call: Call, *, user: User) -> OperatorGone:
    """Let a person be no operator any more; they are signed out as one at once, and keep their account."""
    async with SystemWork(call, reason=WHO) as work:
        user_id = await _person(work, user)
        await actions.remove_operator(work, user_id=user_id)
    return OperatorGone(USER_ID.text(user_id))


async def _person(work: SystemWork, named: str) -> UUID:
    user_id = USER_ID.read(named)
    found = await person_named(work, user_id=user_id, email_key=None if user_id else key_of(named))
    if found is None:
        raise NotFound("There is no such person; operators have an account first.")
    return found


def _shown(one: Operator) -> OperatorShown:
    return OperatorShown(USER_ID.text(one.id), one.email, one.name, one.role, one.granted_at)


commands = (
    Command("operators", "add", add),
    Command("operators", "list", show),
    Command("operators", "remove", remove),
)
