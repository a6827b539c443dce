"""The matrix at work: everybody asks everything of each other tenant, and every answer is judged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from tenantry.testing.matrix.actors import Asking
from tenantry.testing.matrix.asking import Answer, Ask, Asker
from tenantry.testing.matrix.operations import Operation
from tenantry.testing.matrix.report import Leak, MatrixReport
from tenantry.testing.matrix.rows import Rows
from tenantry.testing.matrix.shapes import Probe, probes
from tenantry.testing.matrix.tenants import Tenant

AT_ONCE = 8
# what is wrong with the request itself, whoever's the thing is
OF_THE_REQUEST = frozenset((400, 412, 415, 422, 428))


class Matrix:
    """Asks, and writes down what came of it."""

    def __init__(self, asker: Asker, rows: Rows, report: MatrixReport) -> None:
        self._asker = asker
        self._rows = rows
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._reached: set[str] = set()
        self.report = report

    @property
    def asked(self) -> int:
        """How many requests went out."""
        return self._asker.asked

    async def ask_everything(self, found: list[Operation], everybody: list[Asking], own: Tenant, other: Tenant) -> None:
        """Ask every operation for the other tenant's things; after each one its rows must be as they were."""
        before = await self._rows.sums(other.org_id, other.person_ids)
        # before anybody has asked anything: what they name is in the log, and told to their own
        for operation in sorted(found, key=lambda one: not one.tells_of_asking):
            known = list(probes(operation, everybody, own, other))
            # of streams one person has few at a time
            alone = [one for one in known if one.alone or operation.route.streamed]
            await asyncio.gather(*(self._ask(operation, one, other) for one in known if one not in alone))
            for one in alone:
                await self._ask(operation, one, other)
            after = await self._rows.sums(other.org_id, other.person_ids)
            changed = [place for place in before if before[place] != after[place]]
            self.report.leaks += [Leak(operation.name, "any", "somebody", f"changed {place}") for place in changed]
            before = after

    async def _ask(self, operation: Operation, probe: Probe, other: Tenant) -> None:
        async with self._turn:
            # first what is not there: if the other exists, it is not for having been asked twice
            twin = await self._asker.ask(probe.twin) if probe.twin is not None else None
            answer = await self._asker.ask(probe.ask)
        self.report.operations[operation.name] += 1
        self.report.shapes[probe.shape] += 1
        if probe.shape == "path" and probe.asking.known and answer.status == 404:
            self._reached.add(operation.name)
        for what in faults(operation, probe, answer, twin, other):
            self.report.leaks.append(Leak(operation.name, probe.shape, probe.asking.name, what, probe.ask.line))

    def unreached(self, found: list[Operation]) -> Iterator[str]:
        """Operations in organizations that nobody's request came so far in that a tenant was looked for."""
        for operation in found:
            if operation.route.in_org and operation.name not in self._reached:
                yield f"{operation.name}: no request came as far as its organization; does its example fit its shape?"


def faults(operation: Operation, probe: Probe, answer: Answer, twin: Answer | None, other: Tenant) -> Iterator[str]:
    """Everything that an answer tells, or may tell, about the other tenant."""
    if answer.status >= 500:
        yield f"broke with {answer.status}"
    if twin is not None and _differ(operation, answer.seen(probe.ask), twin.seen(probe.twin or probe.ask)):
        yield f"answered {answer.status} {_short(answer)}, and {twin.status} {_short(twin)} for what does not exist"
    if probe.hidden and not operation.route.public and not _hides(probe, answer):
        yield f"answered {answer.status} {_short(answer)}, which is no not-found"
    if told := sorted(set(other.canaries.findall(_unsaid(answer, probe.ask)))):
        yield f"told of the other tenant: {', '.join(told[:5])}"


def _differ(operation: Operation, one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two answers are told apart; of what grows by being asked, status and headers alone are compared."""
    end = 2 if operation.tells_of_asking and one[0] < 300 else None
    return one[:end] != other[:end]


def _hides(probe: Probe, answer: Answer) -> bool:
    return answer.status == 404 or answer.status in OF_THE_REQUEST or (answer.status == 401 and not probe.asking.known)


def _unsaid(answer: Answer, ask: Ask) -> str:
    """The answer without what the request itself said."""
    text = answer.everything
    for one in sorted(ask.says, key=len, reverse=True):
        text = text.replace(one.lower(), "")
    return text


def _short(answer: Answer) -> str:
    return answer.body.decode("utf-8", "replace")[:120]
