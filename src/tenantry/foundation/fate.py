"""Fates: what becomes of each table's rows when a person is purged, said by the domain that the table belongs to.

A domain's manifest names every one of its tables; a test reads the database's catalogue and fails for a table that
nobody names. The purge runs the statements in one transaction a person, the highest domain's first. Not here: when a
person is purged, which the domain of people decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from uuid import UUID

import msgspec

from tenantry.foundation.data.sql import Connected, Run, run
from tenantry.foundation.events.details import forget_details


class Person(msgspec.Struct, frozen=True):
    """Whom to forget: the id that rows refer to, and the address that rows from before the account hold."""

    id: UUID
    email_key: str


class Fate(msgspec.Struct, frozen=True):
    """What becomes of a table's rows about a purged person, why, and the statement that does it.

    The statement takes `:user_id`, `:email_key` or both. What is kept says why that tells nothing about the person.
    """

    ends: Literal["erased", "anonymized", "kept"]
    why: str
    statement: Run | None = None

    def __post_init__(self) -> None:
        if (self.ends == "kept") is not (self.statement is None):
            raise TypeError("what is erased or anonymized needs a statement, and what is kept has none")

    async def come(self, work: Connected, person: Person) -> None:
        """Let it happen to one person's rows."""
        if self.statement is not None:
            known = {"user_id": person.id, "email_key": person.email_key}
            await self.statement(work, **{name: known[name] for name in self.statement.parameters})


def erased(statement: Run, *, why: str = "it is about this person only") -> Fate:
    """The rows are deleted."""
    return Fate("erased", why, statement)


def anonymized(statement: Run, *, why: str) -> Fate:
    """The rows stay for others, and what they say about the person is overwritten."""
    return Fate("anonymized", why, statement)


def kept(why: str) -> Fate:
    """The rows stay as they are; the sentence says why they tell nothing about the person."""
    return Fate("kept", why)


async def let_come(work: Connected, fates: Mapping[str, Fate], person: Person) -> None:
    """Let every table's fate come to one person's rows, in the given order."""
    for fate in fates.values():
        await fate.come(work, person)


OF_FOUNDATION: Mapping[str, Fate] = {
    "events": kept("payload, person and actor are ids, which nothing resolves once the person is gone"),
    "details": erased(forget_details, why="what is personal about events and audit rows, which stay"),
    "audit_log": kept("actor and target are ids, which nothing resolves once the person is gone"),
    "audit_horizons": kept("an organization's, not a person's"),
    "signing_keys": kept("nobody's"),
    "consumers": kept("nobody's: places in the log, and ids of events that were passed over"),
    "jobs": kept("arguments are ids, and a job that finds nobody ends"),
    "job_runs": kept("arguments are ids, and a job that finds nobody ends"),
    "dead_letters": kept("arguments are ids, and what failed is said without values"),
    "job_reports": erased(
        run("delete from tenantry.job_reports where person_id = :user_id"),
        why="what was done for this person is nobody else's to wait for",
    ),
    "job_schedules": kept("nobody's"),
    "job_queues": kept("nobody's"),
    "job_weights": kept("an organization's, not a person's"),
    "job_rates": kept("how fast jobs of an organization started, until its starts are back"),
    "job_uniques": kept("digests of keys, swept when their windows are over"),
    "limits": kept("keyed digests, swept when the turns are back"),
    "usage_events": kept("an organization's, not a person's"),
    "usage_keys": kept("an organization's digests, swept when nobody repeats them any more"),
    "kept_answers": kept("digests, and what only the same caller could have opened for a day; all emptied after two"),
    "migration": kept("nobody's"),
}
"""What the foundation's own tables keep."""
