"""Whether the words of a new project are free in an installation: nothing of theirs is somebody's already."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec

from tenantry.entrypoints.cli.project.words import Words
from tenantry.foundation.data.ids import kind_of_field
from tenantry.foundation.domain import Registry
from tenantry.foundation.plugins.finding import installed


def taken(words: Words, registry: Registry) -> Iterator[str]:
    """What of the words means something else here."""
    name = words.name
    if name in {"tenantry", *(domain.name for domain in registry.domains)}:
        yield f"{name} is Tenantry's own, or a plugin that is enabled"
    elif name in {plugin.name for plugin in installed()}:
        yield f"{name} is a plugin that is installed"
    elif name in sys.stdlib_module_names or _is_package(name):
        yield f"{name} is a package that Python finds already"
    if _is_in_use(words, registry):
        yield f"{words.things} are somebody's already; name what the plugin keeps with --thing"


def _is_package(name: str) -> bool:
    found = find_spec(name)
    # a bare folder of the name, as the one that is to be filled, hides nothing
    return found is not None and found.origin is not None


def _is_in_use(words: Words, registry: Registry) -> bool:
    """Whether an id, a permission or an address has the name of the things."""
    groups = {permission.name.partition(":")[0] for permission in registry.permissions}
    addresses = {part for route in registry.routes for part in route.path.split("/")}
    id_of_theirs = kind_of_field(f"{words.thing}_id")
    return id_of_theirs is not None or words.things in groups or words.path in addresses
