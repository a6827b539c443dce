"""Domains: the manifest that says everything a domain brings, and the registry that all manifests fill.

Core's domains and a plugin's register the same way; entry points read the registry and name no domain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import msgspec

from tenantry.foundation.around import Wrap
from tenantry.foundation.call import Call
from tenantry.foundation.checkup import Checkup
from tenantry.foundation.command import Command
from tenantry.foundation.crowd import Company
from tenantry.foundation.data.migrations import CORE, History
from tenantry.foundation.data.sql import Run
from tenantry.foundation.events.consumer import Consumer, collect_consumers
from tenantry.foundation.events.event import Event
from tenantry.foundation.events.folding import Fold
from tenantry.foundation.events.told import fault_of
from tenantry.foundation.fate import OF_FOUNDATION, Fate
from tenantry.foundation.flag import FlagDeclaration
from tenantry.foundation.forgetting import OF_FOUNDATION as FORGOTTEN_OF_FOUNDATION
from tenantry.foundation.jobs.beside import Beside
from tenantry.foundation.jobs.handler import Handler, collect
from tenantry.foundation.jobs.job import NewJob
from tenantry.foundation.jobs.queue import Queue, QueuesDiffer, declared
from tenantry.foundation.meter import Meter
from tenantry.foundation.pages import ConsolePages, Frame, Page, Pages
from tenantry.foundation.permission import EVERYWHERE, Permission
from tenantry.foundation.plugins.plugin import Plugin
from tenantry.foundation.problems import Problem
from tenantry.foundation.question import Question
from tenantry.foundation.quota import Quota
from tenantry.foundation.routes import Route, Routes
from tenantry.foundation.security import keyring
from tenantry.foundation.security.sealed import SealedColumn
from tenantry.foundation.story import Story
from tenantry.foundation.work import SystemWork
from tenantry.settings import Settings

Kind = TypeVar("Kind")
Sections = Mapping[type[msgspec.Struct], Any]


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """The table of contents of a domain.

    The last three are for plugins: the oldest core they work with, their own revisions, and what they wrap. `is_on`
    judges the domain's settings: while it is off nothing of it listens to events. `seed` makes its part of every demo,
    `story` what has happened in the small one, `scale` the rows of some organizations of a large one; the first two say
    what is good to know about it, the last how many of what it added.
    """

    name: str
    needs: tuple[str, ...] = ()
    events: ModuleType | None = None
    problems: ModuleType | None = None
    permissions: tuple[Permission, ...] = ()
    settings: type[msgspec.Struct] | None = None
    routes: Routes | None = None
    pages: Pages | None = None
    console: ConsolePages | None = None
    jobs: ModuleType | None = None
    beside: tuple[Beside, ...] = ()
    is_on: Callable[[Any], bool] | None = None
    letters: Path | None = None
    seed: Callable[[Call], Awaitable[list[str]]] | None = None
    story: Callable[[Call, Story], Awaitable[list[str]]] | None = None
    scale: Callable[[SystemWork, Sequence[Company]], Awaitable[Mapping[str, int]]] | None = None
    commands: tuple[Command, ...] = ()
    checkups: tuple[Checkup, ...] = ()
    sealed: tuple[SealedColumn, ...] = ()
    answers: Mapping[Question[..., Any], Callable[..., Awaitable[Any]]] = {}
    meters: tuple[Meter, ...] = ()
    quotas: tuple[Quota, ...] = ()
    tables: Mapping[str, Fate] = {}
    org_tables: Mapping[str, Run] = {}
    folds: tuple[Fold[Any], ...] = ()
    flags: tuple[FlagDeclaration, ...] = ()
    core: str = ""
    migrations: Path | None = None
    around: tuple[Wrap, ...] = ()

    @property
    def history(self) -> History | None:
        """Its own line of revisions, in a schema of its name; core's domains are in core's."""
        return None if self.migrations is None else History(self.name, self.migrations)

    @property
    def fates(self) -> dict[str, Fate]:
        """What becomes of its tables' rows; of a schema of its own, with the schema's name."""
        place = "" if self.history is None else f"{self.name}."
        return {f"{place}{table}": fate for table, fate in self.tables.items()}

    @property
    def folded(self) -> list[tuple[str, Fold[Any]]]:
        """How its tables come back from their organization's events; named as in `fates`."""
        place = "" if self.history is None else f"{self.name}."
        return [(f"{place}{fold.table}", fold) for fold in self.folds]

    @property
    def forgotten(self) -> dict[str, Run]:
        """How its tables forget a purged organization, those that no cascade empties well; named as in `fates`."""
        place = "" if self.history is None else f"{self.name}."
        return {f"{place}{table}": statement for table, statement in self.org_tables.items()}


class BadDomains(Exception):
    """The domains do not fit together; the sentence says which and why."""


class Registry:
    """Everything that all domains bring, each thing once."""

    def __init__(
        self, domains: Iterable[Domain], *, jobs: ModuleType | None = None, plugins: tuple[Plugin, ...] = ()
    ) -> None:
        """`jobs` are the house's own, beside those of the domains; `plugins` is what became of those named."""
        self.domains = tuple(domains)
        self.plugins = plugins
        self._check_needs()
        self.routes: tuple[Route, ...] = tuple(
            route for domain in self.domains if domain.routes for route in domain.routes
        )
        self._drawn = tuple(pages for domain in self.domains for pages in (domain.pages, domain.console) if pages)
        self.pages: tuple[Page, ...] = tuple(chain.from_iterable(self._drawn))
        self.handlers: tuple[Handler, ...] = tuple(
            handler
            for module in (jobs, *(domain.jobs for domain in self.domains))
            if module
            for handler in collect(module)
        )
        self.flags = tuple(own for domain in self.domains for own in domain.flags)
        self.checkups: tuple[Checkup, ...] = tuple(own for domain in self.domains for own in domain.checkups)
        self.commands: tuple[Command, ...] = tuple(own for domain in self.domains for own in domain.commands)
        self.sealed = (keyring.sealed_private, *(own for domain in self.domains for own in domain.sealed))
        self.events = tuple(self._declared(Event, "events"))
        self.consumers = tuple(self._reading())
        self.problems = tuple(self._declared(Problem, "problems"))
        self.permissions = (*EVERYWHERE, *(own for domain in self.domains for own in domain.permissions))
        self.meters = tuple(own for domain in self.domains for own in domain.meters)
        self.quotas = tuple(own for domain in self.domains for own in domain.quotas)
        self.sections = tuple(domain.settings for domain in self.domains if domain.settings)
        self.letters = tuple(domain.letters for domain in self.domains if domain.letters)
        self._check_names()
        self._check_queues()
        self._check_quotas()
        self._check_told()
        self._connect_questions()

    @property
    def beside(self) -> tuple[Beside, ...]:
        """What each worker does beside its jobs."""
        return tuple(own for domain in self.domains for own in domain.beside)

    @property
    def queues(self) -> dict[str, Queue]:
        """The queues that have limits, or were declared without."""
        return declared(handler.limits for handler in self.handlers if handler.limits is not None)

    def page_folders(self, frame: Frame) -> tuple[Path, ...]:
        """Where the templates of the pages in a frame are."""
        return tuple(pages.folder for pages in self._drawn if pages.frame == frame)

    def menu(self, frame: Frame) -> dict[str, str]:
        """The pages in a frame that are found from every other one, by path, with their names."""
        return {path: name for pages in self._drawn if pages.frame == frame for path, name in pages.menu.items()}

    @property
    def page_routes(self) -> Iterator[Route]:
        """What pages do, as routes: one that shows each, those that take its forms."""
        for page in self.pages:
            yield from page.routes

    @property
    def fates(self) -> dict[str, Fate]:
        """What becomes of each table's rows about a purged person; a domain comes before those it builds on."""
        known: dict[str, Fate] = {}
        for domain in reversed(self.domains):
            known |= domain.fates
        return known | dict(OF_FOUNDATION)

    @property
    def org_tables(self) -> dict[str, Run]:
        """How tables forget a purged organization, a domain's before those it builds on, the foundation's last."""
        known: dict[str, Run] = {}
        for domain in reversed(self.domains):
            known |= domain.forgotten
        return known | dict(FORGOTTEN_OF_FOUNDATION)

    @property
    def folds(self) -> dict[str, Fold[Any]]:
        """How an organization's tables come back from its events, a domain's after those it builds on."""
        return {name: fold for domain in self.domains for name, fold in domain.folded}

    @property
    def wraps(self) -> dict[str, tuple[Wrap, ...]]:
        """What stands around each verb, the first domain's outermost."""
        put: dict[str, tuple[Wrap, ...]] = {}
        for domain in self.domains:
            for wrap in domain.around:
                put[wrap.verb] = (*put.get(wrap.verb, ()), wrap)
        return put

    @property
    def histories(self) -> dict[str, History]:
        """The lines of revisions beside core's, by domain."""
        return {domain.name: domain.history for domain in self.domains if domain.history is not None}

    def listeners(self, sections: Sections | None = None) -> dict[type[Event], tuple[NewJob, ...]]:
        """The jobs that each event asks for; with settings, in the domains that are on by them."""
        asleep = {handler.kind for handler in self._asleep(sections or {})}
        heard: dict[type[Event], tuple[NewJob, ...]] = {}
        for handler in self.handlers:
            if handler.event is not None and handler.kind not in asleep:
                heard[handler.event] = (*heard.get(handler.event, ()), handler.asked())
        return heard

    def _asleep(self, sections: Sections) -> Iterator[Handler]:
        for domain in self.domains:
            section = None if domain.settings is None else sections.get(domain.settings)
            if domain.jobs and domain.is_on and section is not None and not domain.is_on(section):
                yield from collect(domain.jobs)

    @property
    def consumed(self) -> frozenset[str]:
        """The kinds of events that some consumer reads."""
        everything = [event.kind for event in self.events]
        read = (everything if consumer.kinds is None else consumer.kinds for consumer in self.consumers)
        return frozenset(chain.from_iterable(read))

    def _declared(self, kind: type[Kind], file: str) -> Iterator[type[Kind]]:
        for domain in self.domains:
            module: ModuleType | None = getattr(domain, file)
            yield from _own(module, kind) if module else ()

    def _reading(self) -> Iterator[Consumer]:
        for domain in self.domains:
            for consumer in collect_consumers(domain.jobs) if domain.jobs else ():
                yield consumer.among(self.events)

    def _check_needs(self) -> None:
        seen: set[str] = set()
        for domain in self.domains:
            if missing := set(domain.needs) - seen:
                raise BadDomains(f"{domain.name} needs {', '.join(sorted(missing))} before it")
            seen.add(domain.name)

    def _check_names(self) -> None:
        names = {
            "domain": [domain.name for domain in self.domains],
            "route": [f"{route.method} {route.path}" for route in self.routes],
            "page": [*chain.from_iterable((page.path, *page.forms) for page in self.pages)],
            "event": [event.kind for event in self.events],
            "webhook type": [event.webhook for event in self.events if event.webhook is not None],
            "problem": [problem.code for problem in self.problems],
            "permission": [permission.name for permission in self.permissions],
            "job": [handler.kind for handler in self.handlers],
            "consumer": [consumer.name for consumer in self.consumers],
            "meter": [meter.key for meter in self.meters],
            "quota": [quota.limit for quota in self.quotas],
            "command": [f"{command.group} {command.name}" for command in self.commands],
            "sealed column": [column.name for column in self.sealed],
            "flag": [flag.key for flag in self.flags],
            "fold": [name for domain in self.domains for name, _ in domain.folded],
            "table": [*OF_FOUNDATION, *(table for domain in self.domains for table in domain.fates)],
            "setting": [
                *Settings.__struct_fields__,
                *chain.from_iterable(kind.__struct_fields__ for kind in self.sections),
            ],
            "schema": [CORE.schema, *(domain.history.schema for domain in self.domains if domain.history)],
        }
        for sort, given in names.items():
            if twice := [name for name, count in Counter(given).items() if count > 1]:
                raise BadDomains(f"the {sort} {twice[0]} is declared twice")

    def _check_queues(self) -> None:
        try:
            declared(handler.limits for handler in self.handlers if handler.limits is not None)
        except QueuesDiffer as error:
            raise BadDomains(str(error)) from error

    def _check_quotas(self) -> None:
        for quota in self.quotas:
            if quota.meter is not None and quota.meter not in self.meters:
                raise BadDomains(f"the quota {quota.limit} is on the meter {quota.meter.key}, which nobody declares")

    def _check_told(self) -> None:
        for event in self.events:
            if fault := fault_of(event):
                raise BadDomains(f"the event {event.kind} {fault}")

    def fall_silent(self) -> None:
        """Take back every answer to a question, before another registry gives its own."""
        for question in {asked for domain in self.domains for asked in domain.answers}:
            question.answered_by(())

    def _connect_questions(self) -> None:
        asked: dict[Question[..., Any], list[Callable[..., Awaitable[Any]]]] = {}
        for domain in self.domains:
            for question, answer in domain.answers.items():
                asked.setdefault(question, []).append(answer)
        for question, answerers in asked.items():
            question.answered_by(answerers)


def _own(module: ModuleType, kind: type[Kind]) -> Iterator[type[Kind]]:
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, kind) and found.__module__ == module.__name__:
            yield found
