"""`reference`: the pages of `docs/reference/`, written from the registry, so that they cannot say anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import typer

from tenantry.entrypoints.cli.assembly import Assembly
from tenantry.entrypoints.cli.commands_shown import commands_of
from tenantry.entrypoints.cli.limits import limits_of, spoken
from tenantry.entrypoints.cli.shapes_shown import HOLDS, keys_of
from tenantry.foundation.action import every_verb
from tenantry.foundation.domain import Registry
from tenantry.foundation.jobs.handler import Handler
from tenantry.foundation.problems import Problem, every_problem
from tenantry.foundation.question import Question
from tenantry.foundation.security.secret import Secret
from tenantry.foundation.tracing import questions_of
from tenantry.settings import NEEDED, Settings, variable

HOUSE = ("tenantry.foundation.", "tenantry.entrypoints.")
HEAD = "<!-- written by `tenantry reference`; a test fails when it is stale -->\n# {title}\n\n{about}\n\n"


def add_commands(app: typer.Typer, assembly: Assembly) -> None:
    """`reference`."""

    @app.command(hidden=True)
    def reference(folder: Annotated[Path, typer.Argument(help="Such as docs/reference.")]) -> None:
        """Write the reference pages of this installation into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for page in (*PAGES, _commands(app)):
            (folder / f"{page.title.lower()}.md").write_text(page.written(assembly.registry()), encoding="utf-8")


class Page(msgspec.Struct, frozen=True):
    """One page: a sentence about it, a table whose rows are read off the registry, and further ones below it."""

    title: str
    about: str
    columns: tuple[str, ...]
    rows: Callable[[Registry], Iterator[Sequence[str]]]
    below: tuple[Page, ...] = ()

    def written(self, registry: Registry) -> str:
        """The page as Markdown."""
        further = (f"\n## {one.title}\n\n{one.about}\n\n{one.table(registry)}" for one in self.below)
        return HEAD.format(title=self.title, about=self.about) + "".join((self.table(registry), *further))

    def table(self, registry: Registry) -> str:
        """Its own table alone."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows(registry)]
        return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in lines)


def _commands(app: typer.Typer) -> Page:
    return Page(
        "Commands",
        "One command a task. Exit codes: 0 done, 1 refused, 2 wrongly typed, 3 cannot reach what it needs.",
        ("command", "does", "takes"),
        lambda _: commands_of(app),
    )


def _settings(registry: Registry) -> Iterator[Sequence[str]]:
    sections: tuple[type[msgspec.Struct], ...] = (Settings, *registry.sections)
    for section in sections:
        hints = get_type_hints(section, include_extras=True)
        for field in msgspec.structs.fields(section):
            kind, meaning = _annotation(hints[field.name])
            needed = " Needed in production." if section is Settings and field.name in NEEDED else ""
            yield f"`{variable(field.name)}`", meaning + needed, kind, _default(field)


def _annotation(annotation: Any) -> tuple[str, str]:
    """What a setting takes, and its sentence."""
    plain, *notes = get_args(annotation)
    sentence = next((note.description for note in notes if note.description), "")
    bounds = [f"{word} {limit}" for note in notes for word, limit in (("from", note.ge), ("to", note.le)) if limit]
    return " ".join((_kind(plain), *bounds)), sentence


def _kind(plain: Any) -> str:
    options = [option for option in get_args(plain) if option is not type(None)]
    if get_origin(plain) is Literal:
        return " or ".join(f"`{option}`" for option in options)
    if any(get_origin(option) is Secret for option in options):
        return "secret"
    if get_origin(plain) is tuple:
        return "list"
    return {int: "number", float: "number", str: "text"}[options[0] if options else plain]


def _default(field: msgspec.structs.FieldInfo) -> str:
    return f"`{field.default}`" if field.default not in (None, (), "", msgspec.NODEFAULT) else ""


def _plan_file(registry: Registry) -> Iterator[Sequence[str]]:
    for section in registry.sections:
        for annotation in get_type_hints(section, include_extras=True).values():
            for note in get_args(annotation)[1:]:
                yield from keys_of(note.extra[HOLDS]) if HOLDS in (note.extra or {}) else ()


def _quotas(registry: Registry) -> Iterator[Sequence[str]]:
    for domain in registry.domains:
        for quota in domain.quotas:
            meter = quota.meter
            yield (
                f"`{quota.limit}`", quota.title, f"`{meter.key}` a {quota.per}" if meter else "things that there are",
                "refused" if quota.hard else "counted", domain.name,
            )  # fmt: skip


def _meters(registry: Registry) -> Iterator[Sequence[str]]:
    for domain in registry.domains:
        for meter in domain.meters:
            yield f"`{meter.key}`", meter.sentence, meter.unit, "yes" if meter.ingest else "no", domain.name


def _routes(registry: Registry) -> Iterator[Sequence[str]]:
    for route in registry.routes:
        refusals = ", ".join(f"{problem.status} `{problem.code}`" for problem in route.problems)
        yield f"`{route.method} {route.path}`", route.sentence, f"`{route.requires.name}`", refusals


def _of_pages(registry: Registry) -> Iterator[Sequence[str]]:
    for route in registry.page_routes:
        yield f"`{route.method} {route.path}`", route.sentence, f"`{route.requires.name}`"


def _events(registry: Registry) -> Iterator[Sequence[str]]:
    for event in registry.events:
        fields = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(event))
        verbs = ", ".join(sorted(f"`{verb.name}`" for _, verb in every_verb() if event in verb.records))
        jobs = ", ".join(f"`{job.kind}`" for job in registry.listeners().get(event, ()))
        told = f"`{event.webhook}`" if event.webhook else ""
        yield f"`{event.kind}`", str(event.version), told, _first_line(event), fields, verbs, jobs


def _problems(registry: Registry) -> Iterator[Sequence[str]]:
    house = (kind for kind in every_problem() if kind.__module__.startswith(HOUSE))
    kinds: list[type[Problem]] = sorted({*house, *registry.problems}, key=lambda kind: (kind.status, kind.code))
    for kind in kinds:
        yield f"`{kind.code}`", str(kind.status), kind.sentence()


def _permissions(registry: Registry) -> Iterator[Sequence[str]]:
    for permission in registry.permissions:
        verbs = sorted({f"`{verb.name}`" for _, verb in every_verb() if verb.requires == permission})
        yield f"`{permission.name}`", permission.allows, ", ".join(verbs)


def _jobs(registry: Registry) -> Iterator[Sequence[str]]:
    for handler in registry.handlers:
        attempts, seconds = str(handler.max_attempts), f"{handler.timeout:g}"
        yield f"`{handler.kind}`", handler.sentence, _cause(handler), attempts, seconds, f"`{handler.queue}`"


def _cause(handler: Handler) -> str:
    if handler.event is not None:
        return f"`{handler.event.kind}`"
    if handler.schedule is None:
        return "a verb asks"
    return f"every {spoken(handler.schedule.interval)}" if handler.schedule.interval else f"`{handler.schedule.cron}`"


def _hooks(registry: Registry) -> Iterator[Sequence[str]]:
    asking: dict[Question[..., Any], set[str]] = {
        asked: set() for domain in registry.domains for asked in domain.answers
    }
    for _, verb in every_verb():
        for question in questions_of(verb.function):
            asking.setdefault(question, set()).add(f"`{verb.name}`")
    for question in sorted(asking, key=lambda one: one.name):
        answering = ", ".join(domain.name for domain in registry.domains if question in domain.answers)
        yield f"`{question.name}`", question.sentence, ", ".join(sorted(asking[question])) or "the house", answering


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


PAGES = (
    Page(
        "Settings",
        "From the environment or a `.env` file. A secret may also come from the file that `<NAME>_FILE` names.",
        ("variable", "meaning", "kind", "default"),
        _settings,
    ),
    Page(
        "Routes",
        "Every operation of the domains. Probes, `/openapi.json`, `/docs` and the public keys are beside them.",
        ("operation", "does", "permission", "refusals of its own"),
        _routes,
    ),
    Page(
        "Pages",
        "Every page for people with a browser, and what takes its form. They need no script; a GET changes nothing.",
        ("page", "does", "permission"),
        _of_pages,
    ),
    Page(
        "Events",
        "What can have happened. Names and fields are stable; a version grows when a field changes its meaning. "
        "An organization's webhook endpoints are told of those that have a type.",
        ("event", "version", "webhook type", "says", "fields", "recorded by", "asks for"),
        _events,
    ),
    Page(
        "Problems",
        "Every refusal, as `application/problem+json`. `code` is stable; sentences may change.",
        ("code", "status", "sentence"),
        _problems,
    ),
    Page(
        "Permissions",
        "Every verb needs exactly one of these, whichever door it is called through.",
        ("permission", "allows", "verbs"),
        _permissions,
    ),
    Page(
        "Jobs",
        "What happens later, on an event, on a schedule or because a verb asked for it.",
        ("job", "does", "after", "attempts", "seconds an attempt", "queue"),
        _jobs,
    ),
    Page(
        "Hooks",
        "What verbs ask before they act: a plugin answers by `Domain(answers=...)`, in the asker's transaction. It "
        "reacts to any event (`@on`) and wraps any verb (`@around`) too; those have pages of their own here.",
        ("question", "asks", "asked by", "answered by"),
        _hooks,
    ),
    Page(
        "Plans",
        "What a plan file holds, as TOML: the one that `TENANTRY_PLAN_FILE` names. A key that is not here is refused, "
        "and so is what does not fit together; [Sell plans](../howto/plans.md) has one to start from.",
        ("key", "takes", "default", "meaning"),
        _plan_file,
        below=(
            Page(
                "Quotas",
                "Limits that domains declare on what there is or on a meter: give one a value in `limits` of a plan. "
                "[Other limits that the house keeps](../howto/quotas.md#which-limits-the-house-keeps) are no quotas.",
                ("limit", "title", "counts", "what is more", "domain"),
                _quotas,
            ),
            Page(
                "Meters",
                "What domains count of an organization's use. Those of your plugins are here too when they are "
                "enabled and you write this page yourself: `tenantry reference FOLDER`.",
                ("meter", "counts", "unit", "from outside", "domain"),
                _meters,
            ),
        ),
    ),
    Page(
        "Limits",
        "Lifetimes, caps, retries and retention, read off the code that enforces them.",
        ("limit", "value", "constant"),
        limits_of,
    ),
)
