"""Finding plugins by their entry points. Nothing is scanned where none is named, and only what is named is imported.

Whatever a plugin's import raises becomes a state and a sentence: it is reported, and core runs on without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib.metadata import EntryPoint, entry_points
from importlib.metadata import version as version_of

import msgspec

from tenantry.foundation.domain import Domain
from tenantry.foundation.jobs.handler import collect
from tenantry.foundation.logs import redact
from tenantry.foundation.plugins.plugin import GROUP, Plugin

_NAME = re.compile(r"(?!pg_)[a-z][a-z0-9_]{0,39}")
_CORE = re.compile(r">=\s*(\d+(?:\.\d+)*)")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")
_SCHEMAS_OF_OTHERS = frozenset(("public", "information_schema"))


def installed() -> Iterator[Plugin]:
    """Every plugin that is installed, enabled or not, and not imported for it."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        yield _plugin(entry).as_state("off", "")


def find(name: str) -> tuple[Plugin, Domain | None]:
    """A plugin and its manifest; without one where the state says why."""
    entries = tuple(entry_points(group=GROUP, name=name))
    if len(entries) != 1:
        return _not_one(name, entries), None
    plugin = _plugin(entries[0])
    try:
        domain = entries[0].load()
        faults = list(_misfits(domain, entries[0]))
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin's import may raise anything)
        return plugin.as_state("broken", said(error)), None
    if faults:
        return plugin.as_state("unfit", "; ".join(faults)), None
    if not _works_with(domain.core, version_of("tenantry")):
        why = f"it needs tenantry {domain.core}, and this is {version_of('tenantry')}"
        return plugin.as_state("needs_core", why), None
    return plugin, domain


def may_be_called(name: str) -> bool:
    """Whether a plugin can have a name, which is its schema's too."""
    return _NAME.fullmatch(name) is not None and name not in _SCHEMAS_OF_OTHERS


def said(error: BaseException) -> str:
    """What an error says, in one line that gives no secret away."""
    return redact(f"{type(error).__name__}: {error}").replace("\n", " ")


def _plugin(entry: EntryPoint) -> Plugin:
    found = entry.dist
    return Plugin(entry.name, found.name if found else None, found.version if found else None)


def _not_one(name: str, entries: Iterable[EntryPoint]) -> Plugin:
    homes = ", ".join(sorted(entry.dist.name for entry in entries if entry.dist))
    if homes:
        return Plugin(name, state="unfit", why=f"more than one distribution brings it: {homes}")
    return Plugin(name, state="missing", why=f"no installed distribution brings it ({GROUP})")


def _misfits(domain: object, entry: EntryPoint) -> Iterator[str]:
    """Why a manifest cannot be taken, whatever the other domains are."""
    if not isinstance(domain, Domain):
        yield f"{entry.value} is not a Domain"
        return
    *_, folder = entry.module.removesuffix(".domain").split(".")
    if not domain.name == entry.name == folder:
        # its verbs and jobs are called by the folder, its tables lie in a schema of the name
        yield f"entry point, manifest and package have one name, not {entry.name}, {domain.name} and {folder}"
    if not may_be_called(domain.name):
        yield f"{domain.name} cannot be the name of a plugin, and of its schema"
    if domain.core and not _CORE.fullmatch(domain.core):
        yield f"the core that it needs is said as >=1.2, not {domain.core}"
    yield from _misfits_of_tables(domain)
    yield from _misfits_of_settings(domain)
    yield from (f"{kind} does not begin with {domain.name}." for kind in _foreign(domain))


def _misfits_of_tables(domain: Domain) -> Iterator[str]:
    if domain.migrations is None:
        if domain.tables:
            yield "it has tables, but no migrations"
    elif not domain.migrations.is_dir():
        yield "the folder of its migrations is not there"


def _misfits_of_settings(domain: Domain) -> Iterator[str]:
    for field in msgspec.structs.fields(domain.settings) if domain.settings else ():
        if field.required:
            yield f"its setting {field.name} has no default"


def _foreign(domain: Domain) -> Iterator[str]:
    """Kinds of events and jobs that might become somebody else's."""
    events = (getattr(found, "kind", "") for found in vars(domain.events).values()) if domain.events else ()
    jobs = (handler.kind for handler in collect(domain.jobs)) if domain.jobs else ()
    for kind in (*events, *jobs):
        if isinstance(kind, str) and kind and not kind.startswith(f"{domain.name}."):
            yield kind


def _works_with(needed: str, given: str) -> bool:
    if not needed:
        return True
    oldest, release = _CORE.fullmatch(needed), _RELEASE.match(given)
    return oldest is not None and release is not None and _numbers(oldest[1]) <= _numbers(release[0])


def _numbers(release: str) -> list[int]:
    numbers = [int(part) for part in release.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers
