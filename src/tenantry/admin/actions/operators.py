"""Who is an operator: added, given another role and removed at the command line, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from tenantry.admin.events import OperatorAdded, OperatorRemoved, OperatorRoleChanged
from tenantry.foundation.action import action
from tenantry.foundation.data.sql import run, value
from tenantry.foundation.fate import Fate, erased
from tenantry.foundation.permission import HOUSE, OperatorRole
from tenantry.foundation.problems import NotFound
from tenantry.foundation.work import SystemWork

keep_operator = run("""
    insert into tenantry.operators (user_id, role)
    values (:user_id, :role)
        on conflict (user_id) do update
       set granted_at = tenantry.now(), role = excluded.role
""")
lock_operator = value(str, "select role from tenantry.operators where user_id = :user_id for update")


@action(requires=HOUSE, records=(OperatorAdded, OperatorRoleChanged))
async def add_operator(work: SystemWork, *, user_id: UUID, role: OperatorRole) -> None:
    """Make a person with an account an operator, or give one another role, which holds from the next request on."""
    before = await lock_operator(work, user_id=user_id)
    if before == role:
        return
    await keep_operator(work, user_id=user_id, role=role)
    if before is None:
        work.record(OperatorAdded(user_id=user_id, role=role))
    else:
        work.record(OperatorRoleChanged(user_id=user_id, role=role), was={"role": before})


# their sessions go with it, by the foreign key
drop_operator = value(UUID, "delete from tenantry.operators where user_id = :user_id returning user_id")


@action(requires=HOUSE, records=OperatorRemoved)
async def remove_operator(work: SystemWork, *, user_id: UUID) -> None:
    """Let a person be no operator any more; as one they are signed out from the next request on."""
    if await drop_operator(work, user_id=user_id) is None:
        raise NotFound("There is no such operator.")
    work.record(OperatorRemoved(user_id=user_id))


TABLES: Mapping[str, Fate] = {
    "operator_sessions": erased(run("delete from tenantry.operator_sessions where user_id = :user_id")),
    "operators": erased(run("delete from tenantry.operators where user_id = :user_id")),
}
"""What becomes of a purged person who was an operator."""
