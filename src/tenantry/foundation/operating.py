"""Operating: the work of those who run the installation, beyond tenants and persons, each by a role that they hold.

Whether an operator is let in is asked in the same transaction that they act in, so whoever was removed, disabled or
signed out is refused by the next request. Not here: who is an operator, which the domain of operators answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import msgspec

from tenantry.foundation.call import OPERATOR, Call
from tenantry.foundation.permission import OperatorRole, Permission
from tenantry.foundation.question import Question
from tenantry.foundation.refusals import ProofNeeded, SessionEnded
from tenantry.foundation.work import SystemWork


class Standing(msgspec.Struct, frozen=True):
    """An operator who is let in: with which role, and whether they have signed in within the last 15 minutes."""

    role: OperatorRole
    recent: bool


def _first(answers: Sequence[Standing | None]) -> Standing | None:
    return next((standing for standing in answers if standing is not None), None)


operator_standing: Question[[], Standing | None] = Question(
    "operator_standing", "Is the operator who asks let in by their session, and with which role?", settle=_first
)


class OperatorWork(SystemWork):
    """Work of an operator, who may do what their role may; the house's verbs are open to them."""

    __slots__ = ("_standing",)

    def __init__(self, call: Call) -> None:
        if call.actor.kind != OPERATOR:
            raise TypeError("an operator's work needs an operator")
        # never for reading alone: that they used their session is written down, and what they look at
        super().__init__(call, reason="an operator looks after everybody")
        self._standing: Standing | None = None

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        try:
            self._standing = standing = await operator_standing.ask(self)
            if standing is None:
                raise SessionEnded
        except BaseException as error:
            await self._roll_back(error)
            raise
        self.call = self.call.operating(standing.role)
        return self

    @property
    def role(self) -> OperatorRole:
        """The operator's role."""
        assert self._standing is not None
        return self._standing.role

    def may(self, permission: Permission) -> bool:
        if permission.operators:
            return self._standing is not None and self._standing.role in permission.operators
        return super().may(permission)

    def require(self, permission: Permission) -> None:
        super().require(permission)
        if permission.recent and not (self._standing and self._standing.recent):
            raise ProofNeeded
