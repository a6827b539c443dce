"""Work, the unit of work: one transaction, one actor, one context, and one commit of all that it gathered.

Rows change on its connection as the verb goes along; events and the jobs that listen to them are gathered and written
by one statement at the end. A verb never commits: whoever opened the Work does, by leaving it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, ClassVar, Self
from uuid import UUID

from asyncpg import Connection
from asyncpg.exceptions import PostgresError

from tenantry.foundation.answers import NewAnswer
from tenantry.foundation.bundle import Bundle
from tenantry.foundation.call import Call, within_scopes
from tenantry.foundation.data.database import (
    LOST,
    NotCommitted,
    commit,
    key_context,
    org_context,
    person_context,
    rank_answered,
    system_context,
)
from tenantry.foundation.data.pool import DatabaseUnavailable
from tenantry.foundation.data.savepoint import savepoint
from tenantry.foundation.events.details import Details
from tenantry.foundation.events.event import Event
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.meter import Meter, check_usage
from tenantry.foundation.permission import ANYONE, HOUSE, ONESELF, ROLES, Permission, Role
from tenantry.foundation.problems import Forbidden, NotFound
from tenantry.foundation.refusals import problem_of
from tenantry.foundation.runtime import Runtime
from tenantry.foundation.security.known_keys import NOTHING_KNOWN, AddressRefused, KeyFacts


class Work:
    """A transaction with a name on it. Open it with `async with`; leaving it commits, raising out of it rolls back."""

    rights: ClassVar[frozenset[Permission]] = frozenset({ANYONE})
    metered: ClassVar[bool] = False
    of_one_org: ClassVar[bool] = False
    # seconds that its statements are waited for, where that is longer than for others
    patience: ClassVar[float | None] = None
    __slots__ = (
        "_after", "_bundle", "_may_record", "_rings", "_session", "call", "connection", "reading", "runtime",
    )  # fmt: skip

    connection: Connection[Any]

    def __init__(self, call: Call, *, reading: bool = False) -> None:
        self.call = call
        self.reading = reading
        self.runtime: Runtime = call.runtime
        self._bundle = Bundle()
        self._after: list[Event] = []
        self._rings = False
        self._may_record: set[type[Event]] = set()
        # an SQLAlchemy session, whose library is of no concern to a work that nobody asks for one
        self._session: Any = None

    def context(self) -> str:
        """The opening words of the transaction: role and row-level security context."""
        raise TypeError("open a PersonWork, an OrgWork or a SystemWork")

    def opened(self, answered: str) -> None:
        """What PostgreSQL answered to the context's words."""

    def may(self, permission: Permission) -> bool:
        """Whether a permission is held here."""
        return permission in self.rights

    def require(self, permission: Permission) -> None:
        """Refuse unless a permission is held here."""
        if not self.may(permission):
            raise Forbidden(more={"permission": permission.name})

    def admit(self, permission: Permission, records: tuple[type[Event], ...]) -> None:
        """Let a verb in: its permission must be held here, and from now on it may record its events."""
        if self.reading:
            raise TypeError("a verb changes something, and this work was opened for reading")
        self.require(permission)
        self._may_record.update(records)

    def record(self, event: Event, *, was: Mapping[str, Any] | None = None, details: Details | None = None) -> None:
        """Say what happened; it is written, with its audit row and the jobs that listen to it, in this commit.

        `was` has the values that the event's changed before, for the audit row; `details` are personal and can be
        erased, as the event cannot.
        """
        if type(event) not in self._may_record:
            raise TypeError(f"no verb in this work declared that it records {type(event).__name__}")
        self._bundle.add_event(event, self.call, was=was, details=details)
        self._rings = self._rings or event.kind in self.runtime.consumed

    def note(self, action: str, *, after: Mapping[str, Any], target: tuple[str, UUID] | None = None) -> None:
        """Leave a row in the audit log, in this commit, about what is no event of any domain."""
        self._bundle.add_note(self.call, action, target, after)

    def enqueue(self, job: NewJob) -> UUID:
        """Ask for a job; it exists if and only if this commit succeeds.

        The answer is its id, by which a tracked one can be asked about; one that its key keeps out has none.
        """
        return self._bundle.add_job(job, self.call)

    def ring(self) -> None:
        """Have the workers look once this is committed: something waits for them that is no job."""
        self._rings = True

    def meter(self, meter: Meter, quantity: int = 1, *, key: str | None = None, counted: bool = False) -> None:
        """Say what the organization used; it counts if and only if this commit succeeds.

        What is said again under the same key, here or elsewhere within 35 days, is not counted again. `counted` says
        that it is counted within the meter's quotas, as `use` does.
        """
        org = self.call.actor.org
        if org is None or self.reading or not self.metered:
            raise TypeError("what is used is an organization's, and counted by a work in it that changes something")
        if self.runtime.meters.get(meter.key) != meter:
            raise TypeError(f"no domain declares the meter {meter.key}")
        if not counted and any(quota.meter == meter for quota in self.runtime.quotas.values()):
            raise TypeError(f"the meter {meter.key} has a quota: `use` counts what is used of it")
        check_usage(quantity, key)
        self._bundle.add_usage(org, meter, quantity, key, self.call)

    def unwritten(self, org: UUID, meter: str) -> int:
        """How much was said here of what an organization used, and is not written yet."""
        return self._bundle.unwritten(org, meter)

    def keep_answer(self, answer: NewAnswer) -> None:
        """Keep what is answered to this, in this commit, for whoever asks again under the same key."""
        self._bundle.add_answer(answer)

    def after_rollback(self, event: Event) -> None:
        """Say what shall be recorded, in a transaction of its own, if this one is rolled back."""
        self._after.append(event)

    def session(self) -> Any:
        """An SQLAlchemy `AsyncSession` in this transaction; flushed before the commit, and of no use after it."""
        if self._session is None:
            # late: SQLAlchemy is an extra, for plugins that ask for it
            from tenantry.foundation.data.orm import WorkSession  # noqa: PLC0415

            self._session = WorkSession(self.connection)
        return self._session

    @asynccontextmanager
    async def apart(self) -> AsyncIterator[None]:
        """A part that can fail alone: then its rows, events and jobs are gone, and the rest of the work stands."""
        length, after, session = self._bundle.length, len(self._after), self._session
        try:
            async with savepoint(self.connection, session):
                yield
                if self._session is not session:
                    await self._session.settle()
        except Exception:
            if self._session is not session:
                await self._session.forsake()
                self._session = session
            self._bundle.cut(length)
            del self._after[after:]
            raise

    async def __aenter__(self) -> Self:
        try:
            self.connection, answered = await self.runtime.database.begin(self.context(), reading=self.reading)
        except PostgresError as error:
            raise problem_of(error) from error
        self.opened(answered)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        if raised is not None:
            await self._roll_back(raised)
        elif self.reading:
            await self._leave()
        else:
            await self._commit()

    async def _leave(self) -> None:
        try:
            await self._end_session()
        except BaseException as error:
            await self._roll_back(error)
            raise
        await self.runtime.database.leave(self.connection)

    async def _commit(self) -> None:
        try:
            await self._end_session()
            await self._bundle.write(self.connection)
            await commit(self.connection)
        except BaseException as error:
            cause = self._cause(error)
            if isinstance(cause, LOST) or not isinstance(cause, PostgresError | NotCommitted):
                # nobody knows whether it was committed: what holds after a rollback only is not to be said
                self._after.clear()
            await self._roll_back(error)
            raise
        self.runtime.database.pool.release(self.connection)
        if self._bundle.asks or self._rings:
            self.runtime.bell.ring(later=self._bundle.asks_for_later)

    async def _end_session(self) -> None:
        """Write what an ORM still has in mind, and let nobody use its session any more."""
        if self._session is not None:
            await self._session.settle()
            await self._session.end()

    def _cause(self, raised: BaseException) -> BaseException:
        """What PostgreSQL said, where an ORM has wrapped it."""
        found: BaseException = raised if self._session is None else self._session.cause_of(raised)
        return found

    async def _roll_back(self, cause: BaseException) -> None:
        """Give the connection back, then raise what the cause means to a caller, unless it says so itself."""
        cause = self._cause(cause)
        if self._session is not None:
            await self._session.forsake()
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

    rights = frozenset({ANYONE, ONESELF})
    __slots__ = ("_claim", "person", "session_id")

    def __init__(self, call: Call, *, reading: bool = False, claim: UUID | None = None) -> None:
        """`claim`: the work is what is asked for under a key, once; AnswerKept if that is done and answered."""
        super().__init__(call, reading=reading)
        if call.actor.person is None or call.actor.session is None:
            raise TypeError("a person's work needs a signed-in actor")
        self._claim = claim
        self.person: UUID = call.actor.person
        self.session_id: UUID = call.actor.session

    def context(self) -> str:
        return person_context(self.person, self.session_id, even_closed=self.call.even_closed, claim=self._claim)


class OrgWork(Work):
    """Work of a member in an organization, or of an API key of it, which sees and changes its rows only.

    `person` is the member, or whoever made the key; `role` the member's, or the one whose rights bound the key's.
    """

    metered = True
    of_one_org = True
    __slots__ = ("_ahead", "_claim", "_facts", "org", "person", "role")

    role: Role
    person: UUID

    def __init__(
        self, call: Call, org: UUID, *, reading: bool = False, ahead: bool = False, claim: UUID | None = None
    ) -> None:
        """`ahead`: this one only reads, and who may go on from here changes something; `claim` as of a person's."""
        if call.bound not in (None, org):
            raise NotFound().as_denial()
        super().__init__(call.within(org), reading=reading)
        self._ahead = ahead
        self._claim = claim
        self._facts: KeyFacts | None = None
        self.org = org
        if call.actor.person is not None:
            self.person = call.actor.person

    def context(self) -> str:
        call, actor = self.call, self.call.actor
        even: Any = {
            "even_closed": call.even_closed,
            "even_restricted": call.even_restricted or (self.reading and not self._ahead),
            "claim": self._claim,
        }
        if call.key is not None:
            self._facts = facts = self.runtime.known_keys.get(call.key)
            return key_context(call.key, NOTHING_KNOWN if facts is None else facts.stamp, self.org, **even)
        if actor.person is None or actor.session is None:
            raise TypeError("an organization's work needs a signed-in actor, or an API key")
        return org_context(actor.person, actor.session, self.org, **even)

    def opened(self, answered: str) -> None:
        rank = rank_answered(answered)
        self.role = ROLES[(rank - 1) % len(ROLES)]
        if rank > len(ROLES):
            # what this process knew of the key is not true any more
            self._facts = None

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if self.call.key is not None:
            try:
                await self._act_as_key(self.call.key)
            except BaseException as error:
                await self._roll_back(error)
                raise
        return self

    async def _act_as_key(self, digest: bytes) -> None:
        facts = self._facts or await self.runtime.known_keys.learn(self, digest)
        if not facts.may_come_from(self.call.source):
            raise AddressRefused().as_denial()
        self._facts, self.person = facts, facts.created_by
        self.call = self.call.by_key(facts.id, facts.created_by, facts.scopes, self.role)

    def may(self, permission: Permission) -> bool:
        if permission in self.rights:
            return True
        by_role = self.role in permission.roles
        return by_role and (self._facts is None or within_scopes(permission, self._facts.scopes))


class SystemWork(Work):
    """Work of the house itself, beyond tenants and persons; the reason says why nothing narrower would do."""

    rights = frozenset({ANYONE, HOUSE})
    metered = True
    __slots__ = ("reason",)

    def __init__(self, call: Call, *, reason: str, reading: bool = False) -> None:
        super().__init__(call, reading=reading)
        self.reason = reason

    def context(self) -> str:
        return system_context()
