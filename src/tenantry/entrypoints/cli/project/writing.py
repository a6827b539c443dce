"""Writing a project: all of its files, or none."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

from tenantry.entrypoints.cli.project.words import Words

_ENDING = ".tmpl"


class NotWritten(Exception):
    """There is no project, and nothing is left of it; the sentence says why."""


def write(words: Words, folder: Path) -> list[Path]:
    """Put a project into a folder that is not there, or empty; the places of its files."""
    forms = {**words.forms(), "core": ".".join(version("tenantry").split(".")[:2])}
    rendered = {_place(place, words): Template(text).substitute(forms) for place, text in _templates()}
    _refuse_unless_free(folder)
    try:
        _put(rendered, folder)
    except OSError as error:
        raise NotWritten(f"{folder}: {error.strerror or error}") from error
    return [folder / place for place in sorted(rendered)]


def _templates() -> Iterator[tuple[str, str]]:
    top = files("tenantry.entrypoints.cli.project") / "files"
    return _below(top, "")


def _below(folder: Traversable, place: str) -> Iterator[tuple[str, str]]:
    for one in folder.iterdir():
        if one.is_dir():
            yield from _below(one, f"{place}{one.name}/")
        elif one.name.endswith(_ENDING):
            yield place + one.name.removesuffix(_ENDING), one.read_text(encoding="utf-8")


def _place(place: str, words: Words) -> str:
    """Where a file belongs; the templates lie under words that no project has."""
    named = {
        "gitignore": ".gitignore",
        "package": words.name,
        "test_package.py": f"test_{words.name}.py",
        "0001_things.py": f"0001_{words.things}.py",
    }
    return "/".join(named.get(part, part) for part in place.split("/"))


def _refuse_unless_free(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise NotWritten(f"{folder} is there, and not an empty folder")
    if folder.resolve() == Path.cwd():
        raise NotWritten("this is the folder you are in; go to the one above it")
    if not folder.parent.is_dir():
        raise NotWritten(f"{folder.parent} is no folder")


def _put(rendered: Mapping[str, str], folder: Path) -> None:
    # beside the place, so that one rename brings all of it there; what is in the way by then refuses the rename
    with TemporaryDirectory(prefix=".tenantry-new-", dir=folder.parent) as beside:
        whole = Path(beside) / "project"
        for place, text in rendered.items():
            path = whole / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        os.replace(whole, folder)
