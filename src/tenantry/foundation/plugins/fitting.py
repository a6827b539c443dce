"""Fitting the named plugins to core: all together if that works, else one by one, to know which one it fails with.

"Works" is shown by a rehearsal of the start: what a web process builds of a registry is built once before it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType

from tenantry.foundation.domain import BadDomains, Domain, Registry
from tenantry.foundation.plugins.finding import find, said
from tenantry.foundation.plugins.plugin import Plugin

Rehearse = Callable[[Registry], None]


def enlist(core: tuple[Domain, ...], names: Iterable[str], *, jobs: ModuleType, rehearse: Rehearse) -> Registry:
    """Core's domains and, in the order of their names here, the plugins that fit; the others are reported in it."""
    found = [find(name) for name in dict.fromkeys(names)]
    if not found:
        return Registry(core, jobs=jobs)
    stage = _Stage(core, jobs, rehearse)
    fitting = [domain for _, domain in found if domain is not None]
    if stage.refuses(fitting) is not None:
        found = stage.one_by_one(found)
        fitting = [domain for _, domain in found if domain is not None]
    return Registry((*core, *fitting), jobs=jobs, plugins=tuple(plugin for plugin, _ in found))


class _Stage:
    def __init__(self, core: tuple[Domain, ...], jobs: ModuleType, rehearse: Rehearse) -> None:
        self._core = core
        self._jobs = jobs
        self._rehearse = rehearse

    def refuses(self, plugins: Iterable[Domain]) -> BaseException | None:
        """What goes wrong with core and these plugins."""
        registry = None
        try:
            registry = Registry((*self._core, *plugins), jobs=self._jobs)
            self._rehearse(registry)
        except (Exception, SystemExit) as error:  # noqa: BLE001  (what a plugin brings may raise anything)
            return error
        finally:
            if registry is not None:
                # only the registry that counts may answer questions
                registry.fall_silent()
        return None

    def one_by_one(self, found: list[tuple[Plugin, Domain | None]]) -> list[tuple[Plugin, Domain | None]]:
        """The same plugins, those that fail with core and the ones before them without their domain."""
        fitting: list[Domain] = []
        judged: list[tuple[Plugin, Domain | None]] = []
        for plugin, domain in found:
            error = None if domain is None else self.refuses((*fitting, domain))
            if error is None:
                judged.append((plugin, domain))
                fitting += [domain] if domain is not None else []
            else:
                judged.append((_failed(plugin, error), None))
        return judged


def _failed(plugin: Plugin, error: BaseException) -> Plugin:
    if isinstance(error, BadDomains):
        return plugin.as_state("unfit", str(error))
    return plugin.as_state("broken", said(error))
