"""The limits of an installation: every module constant that a sentence follows, read off the modules themselves.

GRACE = timedelta(seconds=10)
A refresh token that was just used is answered with the same successor.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from tenantry.foundation.domain import Domain, Registry
from tenantry.foundation.security.limits import Limit

OURS = ("tenantry.foundation", "tenantry.entrypoints")
LIMITING = (int, float, timedelta, Limit)
DAY, HOUR, MINUTE = 86_400, 3600, 60


def limits_of(registry: Registry) -> Iterator[Sequence[str]]:
    """Each limit's sentence, its value and where it is written; those of the mechanisms first, then by domain."""
    for package in (*OURS, *filter(None, map(_package, registry.domains))):
        for name, path in sorted(_files(package)):
            for constants, sentence in _documented(path):
                values = [getattr(importlib.import_module(name), constant) for constant in constants]
                if all(isinstance(value, LIMITING) for value in values):
                    yield sentence, ", ".join(map(_shown, values)), f"`{name}.{', '.join(constants)}`"


def _package(domain: Domain) -> str:
    """Where a domain's files are; nothing for one that has none of those which its manifest holds as modules."""
    files = (module.__name__ for module in (domain.events, domain.problems, domain.jobs) if module)
    return next(files, "").rpartition(".")[0]


def _files(package: str) -> Iterator[tuple[str, Path]]:
    """The package's files, found without importing them: some are programs."""
    folders = [str(folder) for folder in importlib.import_module(package).__path__]
    for found in pkgutil.iter_modules(folders, package + "."):
        if found.ispkg:
            yield from _files(found.name)
        else:
            yield from ((found.name, path) for folder in folders if (path := _path(folder, found.name)).is_file())


def _path(folder: str, module: str) -> Path:
    return Path(folder) / (module.rpartition(".")[2] + ".py")


def _documented(path: Path) -> Iterator[tuple[list[str], str]]:
    """The names of each assignment that a string follows, and the string."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for statement, after in pairwise(body):
        if isinstance(statement, ast.Assign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            names = [node.id for node in ast.walk(statement.targets[0]) if isinstance(node, ast.Name)]
            yield names, str(after.value.value)


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        return spoken(value)
    if isinstance(value, Limit):
        return f"{value.times} in {spoken(value.per)}"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def spoken(span: timedelta) -> str:
    """A span of time in the largest unit that it is a whole number of, and at least two of: `24 hours`, `30 days`."""
    seconds = int(span.total_seconds())
    for size, word in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")):
        if seconds >= 2 * size and seconds % size == 0:
            return f"{seconds // size} {word}"
    return f"{seconds} seconds"
