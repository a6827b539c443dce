"""What the explanations say about the code: each path is there, and each name that stands with it is defined in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "explain").glob("*.md"))
ABOUT_THE_CODE = (
    "async-runtime", "entities-and-queries", "handlers-and-arguments", "multi-tenant-schema",
    "stripe-webhook-security", "tokens-and-sessions",
)  # fmt: skip
FEWEST = 8
"""Names that a page about the code gives with their paths, at least: fewer means that they are not found any more."""

PATH = re.compile(r"`((?:src|tests|docs|bin|deploy)/[\w./-]+)`")
# as the first pages write it: below the product, the tests or the documentation
SHORT = re.compile(r"`((?:\w+/)+\w+\.py)`")
NAME = re.compile(r"`((?:tenantry\.)?[A-Za-z_]\w*(?:\.\w+)?)`")
NAMES = r"((?:`[\w.]+`(?:, | and )?)+)"
BEFORE = re.compile(NAMES + r"\s+in\s+`((?:src|tests)/[\w./-]+\.py)`")
BEHIND = re.compile(r"`((?:src|tests)/[\w./-]+\.py)`\s+\(" + NAMES + r"\)")
MEMBER = re.compile(r"`([A-Z]\w+)\.([a-z_]\w*)`")
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def _words(page: Path) -> str:
    return CODE.sub("", page.read_text(encoding="utf-8"))


def _told(text: str) -> Iterator[tuple[str, str]]:
    """Each name with the path that it is given with: before it, behind it, or in the last cell of its row."""
    for found in BEFORE.finditer(text):
        yield from ((name, found[2]) for name in NAME.findall(found[1]))
    for found in BEHIND.finditer(text):
        yield from ((name, found[1]) for name in NAME.findall(found[2]))
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and PATH.fullmatch(cells[1]):
            yield from ((name, cells[1].strip("`")) for name in NAME.findall(cells[2]))


@cache
def _defined(path: str) -> frozenset[str]:
    """What a file defines at its top, and of each class what it has; what a folder's `__init__` hands on as well."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = set(_of(tree.body, imports=path.endswith("__init__.py")))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for name in _members(node)}
    return frozenset(names)


def _of(body: list[ast.stmt], *, imports: bool = False) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif imports and isinstance(node, ast.ImportFrom):
            yield from (name.asname or name.name for name in node.names)


def _members(node: ast.ClassDef) -> Iterator[str]:
    yield from _of(node.body)
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store):
            yield each.attr


def _stands(name: str, path: str) -> bool:
    if "/migrations/versions/" in path:
        # a function or a policy of the database, in the SQL that makes it
        made = rf"\bcreate (?:or replace )?(?:function|table|policy) {re.escape(name)}\b"
        return re.search(made, (ROOT / path).read_text(encoding="utf-8")) is not None
    return name in _defined(path)


@cache
def _every_member() -> frozenset[str]:
    files = (ROOT / "src" / "tenantry").rglob("*.py")
    return frozenset(name for file in files for name in _defined(str(file.relative_to(ROOT))) if "." in name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_path_in_an_explanation_is_there(page: Path) -> None:
    text = _words(page)
    gone = [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    places = (ROOT, ROOT / "src" / "tenantry", ROOT / "src" / "tenantry" / "entrypoints")
    gone += [path for path in SHORT.findall(text) if not any((place / path).is_file() for place in places)]
    assert not gone


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_name_in_an_explanation_is_defined_where_it_says(page: Path) -> None:
    told = [(name, path) for name, path in _told(_words(page)) if (ROOT / path).exists()]
    assert not [f"{name} is not in {path}" for name, path in told if not _stands(name, path)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_member_of_a_class_in_an_explanation_is_its(page: Path) -> None:
    named = {f"{kind}.{name}" for kind, name in MEMBER.findall(_words(page))}
    assert named <= _every_member(), named - _every_member()


@pytest.mark.parametrize("page", ABOUT_THE_CODE)
def test_an_explanation_of_the_code_points_into_it(page: str) -> None:
    told = set(_told(_words(ROOT / "docs" / "explain" / f"{page}.md")))
    assert len(told) >= FEWEST, told


@pytest.mark.parametrize(
    "wrong",
    [
        "`nobody` in `src/tenantry/foundation/work.py`",
        "`Work` and `nobody` in\n`src/tenantry/foundation/work.py`",
        "`src/tenantry/foundation/work.py` (`Work`, `nobody`)",
        "| works | `src/tenantry/foundation/work.py` | `Work.admit`, `nobody` |",
        "`nobody` in `src/tenantry/migrations/versions/0001_foundation.py`",
    ],
)
def test_a_name_that_is_not_there_is_found_however_it_is_given(wrong: str) -> None:
    assert [name for name, path in _told(wrong) if not _stands(name, path)] == ["nobody"]
