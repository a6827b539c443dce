"""Work, the unit of work: one transaction, one actor, one context, and one commit of all that it gathered.

Rows change on its connection as the verb goes along; events and the jobs that listen to them are gathered and written
by one statement at the end. A verb never commits: whoever opened the Work does, by leaving it.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, ClassVar, Self
from uuid import UUID

from asyncpg import Connection
from asyncpg.exceptions import PostgresError

from tenantry.foundation.bundle import Bundle
from tenantry.foundation.call import Call
from tenantry.foundation.data.database import LOST, NotCommitted, commit, person_context, system_context
from tenantry.foundation.data.pool import DatabaseUnavailable
from tenantry.foundation.events.event import Event
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.permission import ANYONE, HOUSE, ONESELF, Permission
from tenantry.foundation.problems import Forbidden
from tenantry.foundation.refusals import problem_of
from tenantry.foundation.runtime import Runtime


class Work:
    """A transaction with a name on it. Open it with `async with`; leaving it commits, raising out of it rolls back."""

    holds: ClassVar[frozenset[Permission]] = frozenset({ANYONE})
    __slots__ = ("_after", "_bundle", "_may_record", "call", "connection", "reading", "runtime")

    connection: Connection[Any]

    def __init__(self, call: Call, *, reading: bool = False) -> None:
        self.call = call
        self.reading = reading
        self.runtime: Runtime = call.runtime
        self._bundle = Bundle()
        self._after: list[Event] = []
        self._may_record: set[type[Event]] = set()

    def context(self) -> str:
        """The opening words of the transaction: role and row-level security context."""
        raise TypeError("open a PersonWork or a SystemWork")

    def admit(self, permission: Permission, records: tuple[type[Event], ...]) -> None:
        """Let a verb in: its permission must be held here, and from now on it may record its events."""
        if self.reading:
            raise TypeError("a verb changes something, and this work was opened for reading")
        if permission not in self.holds:
            raise Forbidden(more={"permission": permission.name})
        self._may_record.update(records)

    def record(self, event: Event) -> None:
        """Say what happened; it is written, with the jobs that listen to it, in this commit."""
        if type(event) not in self._may_record:
            raise TypeError(f"no verb in this work declared that it records {type(event).__name__}")
        self._bundle.add_event(event, self.call)

    def enqueue(self, job: NewJob) -> None:
        """Ask for a job; it exists if and only if this commit succeeds."""
        self._bundle.add_job(job, self.call)

    def after_rollback(self, event: Event) -> None:
        """Say what shall be recorded, in a transaction of its own, if this one is rolled back."""
        self._after.append(event)

    async def __aenter__(self) -> Self:
        try:
            self.connection = await self.runtime.database.begin(self.context(), reading=self.reading)
        except PostgresError as error:
            raise problem_of(error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        if raised is not None:
            await self._roll_back(raised)
        elif self.reading:
            await self.runtime.database.leave(self.connection)
        else:
            await self._commit()

    async def _commit(self) -> None:
        try:
            await self._bundle.write(self.connection)
            await commit(self.connection)
        except BaseException as error:
            if isinstance(error, LOST) or not isinstance(error, PostgresError | NotCommitted):
                # nobody knows whether it was committed: what holds after a rollback only is not to be said
                self._after.clear()
            await self._roll_back(error)
            raise
        self.runtime.database.pool.release(self.connection)
        if self._bundle.jobs:
            self.runtime.bell.ring()

    async def _roll_back(self, cause: BaseException) -> None:
        """Give the connection back, then raise what the cause means to a caller, unless it says so itself."""
        await self.runtime.database.abandon(self.connection)
        await self._record_rollback()
        if isinstance(cause, PostgresError):
            raise problem_of(cause) from cause
        if isinstance(cause, LOST):
            raise DatabaseUnavailable from cause

    async def _record_rollback(self) -> None:
        if self._after:
            async with SystemWork(self.call, reason="what a rolled back work leaves behind") as work:
                work._may_record.update(map(type, self._after))
                for event in self._after:
                    work.record(event)


class PersonWork(Work):
    """Work on behalf of a signed-in person, who sees and changes only their own rows."""

    holds = frozenset({ANYONE, ONESELF})
    __slots__ = ("person", "session")

    def __init__(self, call: Call, *, reading: bool = False) -> None:
        super().__init__(call, reading=reading)
        if call.actor.person is None or call.actor.session is None:
            raise TypeError("a person's work needs a signed-in actor")
        self.person: UUID = call.actor.person
        self.session: UUID = call.actor.session

    def context(self) -> str:
        return person_context(self.person, self.session, even_closed=self.call.even_closed)


class SystemWork(Work):
    """Work of the house itself, beyond tenants and persons; the reason says why nothing narrower would do."""

    holds = frozenset({ANYONE, HOUSE})
    __slots__ = ("reason",)

    def __init__(self, call: Call, *, reason: str, reading: bool = False) -> None:
        super().__init__(call, reading=reading)
        self.reason = reason

    def context(self) -> str:
        return system_context()
