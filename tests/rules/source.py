"""The product's source as data: modules, what they import, functions and texts. Read once, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, eq=False)
class Module:
    """One file of the product."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def domain(self) -> str | None:
        """The domain it belongs to, by name."""
        part = self.name.split(".")[1:2]
        return part[0] if part and part[0] in domains() else None

    @property
    def place(self) -> str:
        """Where it is, for a message."""
        return str(self.path.relative_to(ROOT))


@dataclass(frozen=True)
class Import:
    """One import statement's target, and whether it stands inside a function."""

    target: str
    line: int
    late: bool


@cache
def modules() -> dict[str, Module]:
    """Every module of the product, by name."""
    return {module.name: module for module in map(_read, sorted((SRC / "tenantry").rglob("*.py")))}


def _read(path: Path) -> Module:
    parts = path.relative_to(SRC).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Module(name, path, text, ast.parse(text))


@cache
def domains() -> frozenset[str]:
    """The domains: each package with a table of contents."""
    return frozenset(path.parent.name for path in (SRC / "tenantry").glob("*/domain.py")) - {"foundation"}


def imports(module: Module) -> Iterator[Import]:
    """What a module imports, wherever the statement stands."""
    late = {id(inner) for function in functions(module) for inner in ast.walk(function)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) in late)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield Import(_target(node.module, alias.name), node.lineno, id(node) in late)


def _target(package: str, name: str) -> str:
    submodule = f"{package}.{name}"
    return submodule if submodule in modules() else package


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones included."""
    for node in ast.walk(module.tree):
        if isinstance(node, FUNCTIONS):
            yield node


def texts(module: Module) -> Iterator[tuple[int, str]]:
    """Every string in the code with its line, docstrings left out; an f-string without its values."""
    skipped = {id(node) for node in _docstrings(module.tree)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.JoinedStr):
            parts = [part for part in node.values if isinstance(part, ast.Constant)]
            skipped.update(map(id, parts))
            yield node.lineno, "".join(str(part.value) for part in parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
