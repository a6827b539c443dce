"""The words of a new project: what it is called and what it keeps, in every form its files need.

Not here: whether a name is taken, which the installation knows (`free.py`).
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping

import msgspec

from tenantry.foundation.plugins.finding import may_be_called

LONGEST_THING = 18
_THING = re.compile(r"[a-z]+(?:_[a-z]+)*")
_THEIRS = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
    from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
    returning right select session_user similar some symmetric system_user table tablesample then to trailing true
    union unique user using variadic verbose when where window with
"""
RESERVED = frozenset(_THEIRS.split())
"""What PostgreSQL takes for itself: the name is a schema, which stands in SQL without quotation marks."""
# what the files call something else, as it stands or as a class
_ELSEWHERE = frozenset(
    ("actions", "annotated", "body", "id_kind", "list_answer", "list_query", "listing", "literal", "meta", "not_found",
     "org_work", "queries", "query", "routes", "wire", "work")
)  # fmt: skip


class Words(msgspec.Struct, frozen=True):
    """The plugin's name, and one of the things that it keeps: `library` keeps books, each is a `book`."""

    name: str
    thing: str

    @property
    def things(self) -> str:
        """Several of them, as the table and the permissions are called."""
        return plural(self.thing)

    @property
    def path(self) -> str:
        """Several of them, in an address."""
        return self.things.replace("_", "-")

    def forms(self) -> Mapping[str, str]:
        """Every form, by what it is called in the files."""
        plain = self.thing.replace("_", " ")
        words = self.things.replace("_", " ")
        return {
            "name": self.name,
            "dist": self.name.replace("_", "-"),
            "thing": self.thing,
            "things": self.things,
            "path": self.path,
            "Thing": "".join(map(str.capitalize, self.thing.split("_"))),
            "THING": self.thing.upper(),
            "a_thing": f"{'an' if plain[0] in 'aeiou' else 'a'} {plain}",
            "words": words,
            "Words": words.capitalize(),
        }

    def faults(self) -> Iterator[str]:
        """Why these cannot be the words of any plugin."""
        if not may_be_called(self.name) or self.name.endswith("_") or "__" in self.name:
            yield f"{self.name!r} is no name of a plugin: up to 40 small letters, digits and single underscores"
        elif keyword.iskeyword(self.name):
            yield f"{self.name} is a word of Python's own"
        elif self.name in RESERVED:
            yield f"{self.name} is a word of SQL's own, and the tables are in a schema of the name"
        if not _THING.fullmatch(self.thing) or len(self.thing) > LONGEST_THING:
            yield f"{self.thing!r} is no thing to keep: --thing has up to {LONGEST_THING} small letters and underscores"
        elif keyword.iskeyword(self.thing) or self.thing in _ELSEWHERE:
            yield f"{self.thing} is what the files call something else; name the thing with --thing"


def plural(word: str) -> str:
    """Several of what a word says, by English's rules without its exceptions."""
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(?:s|x|z|ch|sh)$", word) else "s")


def singular(word: str) -> str:
    """One of what a word says, if it says several."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(?:ss|x|z|ch|sh)es$", word):
        return word[:-2]
    return word[:-1] if re.search(r"[^su]s$", word) else word
