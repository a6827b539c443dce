"""How long files and functions are; the medians are printed, because they are an aim and not a limit."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from statistics import median

from rules.source import FUNCTIONS, functions, modules


def file_sizes() -> list[tuple[str, int]]:
    """Lines of each file."""
    return [(module.place, len(module.text.splitlines())) for module in modules().values()]


def function_sizes() -> list[tuple[str, int]]:
    """Lines of each function, those of the functions inside it counted as theirs."""
    return [
        (f"{module.place}:{function.lineno} {function.name}", _own_lines(function))
        for module in modules().values()
        for function in functions(module)
    ]


def _own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    inner = sum(_length(one) for child in ast.iter_child_nodes(function) for one in _outermost(child))
    return _length(function) - inner


def _outermost(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, FUNCTIONS):
        yield node
    else:
        for child in ast.iter_child_nodes(node):
            yield from _outermost(child)


def _length(node: ast.AST) -> int:
    first = min((one.lineno for one in getattr(node, "decorator_list", ())), default=node.lineno)
    return node.end_lineno - first + 1


def medians() -> str:
    """The two medians in a sentence."""
    files, own = (median(size for _, size in sizes) for sizes in (file_sizes(), function_sizes()))
    return f"medians: {files:g} lines a file (aim 80), {own:g} a function (aim 6)"
