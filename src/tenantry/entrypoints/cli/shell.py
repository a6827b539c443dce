"""`shell`: a Python prompt in the assembled installation, for what no command does; or code from standard input.

Nobody is signed in here, so there is no work of a person's: what is done is done by the house, as `cli`.
"""

from __future__ import annotations

import sys
from typing import Any
from uuid import UUID

import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.foundation.call import Actor, Call
from tenantry.foundation.data.database import job_context
from tenantry.foundation.data.ids import ORG_ID, new_id
from tenantry.foundation.domain import Registry
from tenantry.foundation.permission import ANYONE, HOUSE
from tenantry.foundation.problems import Unavailable
from tenantry.foundation.work import SystemWork, Work

BANNER = """\
Tenantry {environment}, with await at the prompt. What is here:
  runtime, registry, call         this installation, assembled
  as_house(reason="...")          a work of the house, in every organization: async with as_house(reason="...") as work
  in_org("org_...", reason="...") the same within one organization, behind its wall
  await rows("select ...", ...)   what a statement finds; it can change nothing
Each work that may write leaves a row in the audit log, as `cli`, with its reason. Nothing is undone by leaving."""


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`shell`."""

    @app.command()
    def shell() -> None:
        """Open a Python prompt in this installation, or run the code that comes by standard input."""
        # late: only this command reads code
        from tenantry.entrypoints.cli.prompt import Prompt  # noqa: PLC0415

        runtime, registry = assembly.equip()
        call = Call(runtime, Actor("cli", name="shell"), str(new_id()))
        with Prompt(_names(call, registry), at_end=runtime.stop) as prompt:
            if sys.stdin.isatty():
                prompt.interact(BANNER.format(environment=runtime.settings.environment), exitmsg="")
                return
            failure = prompt.perform(sys.stdin.read())
        if isinstance(failure, Unavailable):
            raise failure
        if failure is not None:
            raise typer.Exit(1)


def _names(call: Call, registry: Registry) -> dict[str, Any]:
    """What whoever types finds there."""

    def as_house(*, reason: str) -> SystemWork:
        """A work of the house itself, beyond organizations and persons."""
        work = SystemWork(call, reason=reason)
        work.note("house:shell:worked", after={"reason": reason})
        return work

    def in_org(org: str | UUID, *, reason: str) -> Work:
        """A work of the house in one organization, whose rows are all that it sees."""
        work = _InOrg(call, org if isinstance(org, UUID) else _org_id(org))
        work.note("house:shell:worked", after={"reason": reason})
        return work

    async def rows(statement: str, *values: Any) -> list[dict[str, Any]]:
        """What a statement finds, in every organization."""
        async with SystemWork(call, reason="an operator looks at what belongs to anybody", reading=True) as work:
            return [dict(row) for row in await work.connection.fetch(statement, *values)]

    here = {"runtime": call.runtime, "registry": registry, "call": call}
    return here | {"as_house": as_house, "in_org": in_org, "rows": rows}


class _InOrg(Work):
    """An operator's work in an organization, behind the same wall of row security as a member's."""

    rights = frozenset({ANYONE, HOUSE})
    metered = True
    of_one_org = True
    __slots__ = ("org",)

    def __init__(self, call: Call, org: UUID) -> None:
        super().__init__(call.within(org))
        self.org = org

    def context(self) -> str:
        return job_context(self.org)


def _org_id(text: str) -> UUID:
    found = ORG_ID.read(text)
    if found is None:
        raise ValueError(f"{text!r} is not the id of an organization")
    return found
