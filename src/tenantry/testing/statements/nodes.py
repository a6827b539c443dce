"""PostgreSQL's own text of an analysed query (`{QUERY :commandType 1 ...}`) as nested nodes.

Only the notation lives here; what a node means is said in `nullability`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

# a backslash takes the next character into the word, be it a space or a bracket
_WORD = re.compile(r"[(){}]|(?:\\.|[^\s(){}\\])+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class NodeTextError(ValueError):
    """The text is not what PostgreSQL writes for a node."""


class Node:
    """A node: its kind (`QUERY`, `VAR`, ...) and its fields, each a node, a list, a word or None."""

    __slots__ = ("_fields", "kind")

    def __init__(self, kind: str, fields: dict[str, Any]) -> None:
        self.kind = kind
        self._fields = fields

    def __getitem__(self, field: str) -> Any:
        return self._fields[field]

    def get(self, field: str) -> Any:
        """The field, or None where this PostgreSQL has no such field."""
        return self._fields.get(field)

    def number(self, field: str) -> int:
        """The field as a number; 0 where this PostgreSQL has no such field."""
        return int(self._fields.get(field) or 0)

    def true(self, field: str) -> bool:
        """Whether the field is set."""
        return self._fields.get(field) == "true"

    def items(self, field: str) -> list[Any]:
        """The list in the field; an absent list is empty."""
        return self._fields.get(field) or []


def read(text: str) -> Any:
    """The one node, list or word that the text holds."""
    words = iter(_WORD.findall(text))
    try:
        value = _value(next(words), words)
    except StopIteration:
        raise NodeTextError("the text ends in the middle of a node") from None
    if next(words, None) is not None:
        raise NodeTextError("there is more text after the end of the node")
    return value


def _value(word: str, words: Iterator[str]) -> Any:
    if word == "{":
        return _node(words)
    if word == "(":
        return _list(words)
    if word in ("}", ")"):
        raise NodeTextError(f"{word!r} closes nothing")
    return _plain(word)


def _node(words: Iterator[str]) -> Node:
    kind, fields = next(words), {}
    word = next(words)
    while word != "}":
        if not word.startswith(":"):
            raise NodeTextError(f"a field of {kind} was expected at {word!r}")
        fields[word[1:]] = _value(next(words), words)
        word = next(words)
        if word == "[":
            word = _after_bytes(words)
    return Node(kind, fields)


def _list(words: Iterator[str]) -> list[Any]:
    found = []
    while (word := next(words)) != ")":
        found.append(_value(word, words))
    return found


def _after_bytes(words: Iterator[str]) -> str:
    # a constant's value is written as its length and its bytes, `4 [ 1 0 0 0 ]`; no rule asks for the bytes
    while next(words) != "]":
        pass
    return next(words)


def _plain(word: str) -> str | None:
    if word == "<>":
        return None
    if word[0] == '"' and word[-1] == '"':
        word = word[1:-1]
    return _ESCAPED.sub(r"\1", word) if "\\" in word else word
