"""Marks: what functions of a domain's file declare about themselves, found when the domain's manifest is read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any


def marked(module: ModuleType, mark: str) -> Iterator[tuple[Callable[..., Any], Any]]:
    """The functions of a module that carry a mark, each with it; of a folder, those of the files it imports too."""
    for member in vars(module).values():
        if inspect.ismodule(member) and member.__name__.startswith(f"{module.__name__}."):
            yield from marked(member, mark)
        elif inspect.isfunction(member) and member.__module__ == module.__name__ and mark in vars(member):
            yield member, vars(member)[mark]
