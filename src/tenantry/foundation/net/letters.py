"""Letters: what one mail says, from templates that its domain brings and a plugin may override.

A letter called NAME is two Jinja templates with the same values: `NAME.txt`, whose first line is
`Subject: ...`, and the page that `typeset.py` set from `NAME.mjml` (or a hand-written `NAME.html`). Not here:
envelopes and headers (`mail.py`), sending (`smtp.py`), and when to write (a domain's jobs).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import category

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, meta, select_autoescape

from tenantry.foundation.net.typeset import COMPILED

LONGEST_VALUE = 200
"""Characters of what is filled into a mail, links apart."""
SUBJECT = "Subject: "
KEY = re.compile(r"[A-Za-z0-9._-]{1,128}")
WEB_ADDRESS = re.compile(r"https?://[^\s<>\"'\\\x00-\x20\x7f]+")
UNSEEN = ("Cc", "Cf", "Cs")
JOINERS = "\u200c\u200d"
DOT_INSIDE = re.compile(r"[.\u2024\u3002\ufe52\uff0e\uff61](?=[^\s,;)\]])")
SLASH_AT_COLON = re.compile(r"[/\\@\ufe6b\uff0f\uff20\uff3c]|[:\ufe55\uff1a](?=\S)")


class UnusableLetter(Exception):
    """A template is missing, is not a letter, or was not given what it asks for."""


class Link(str):
    """A web address that a letter may carry as a link; hidden in a repr, for it often holds a live token."""

    __slots__ = ()

    def __new__(cls, address: str) -> Link:
        if not WEB_ADDRESS.fullmatch(address):
            raise ValueError("a link starts with http:// or https:// and holds no space, quote or bracket")
        return super().__new__(cls, address)

    def __repr__(self) -> str:
        return "Link(...)"


class Wording(str):
    """Text that Tenantry or the operator wrote: its dots and colons stay, HTML escapes it all the same."""

    __slots__ = ()


class Letter(msgspec.Struct, frozen=True):
    """One mail to one person: the template, the stored address, and the key that its Message-ID is made of.

    The key is the id of the job that sends it, so that a retry is the same mail. A value that is a plain
    `str` counts as typed by a person and is made inert.
    """

    template: str
    to: str
    key: str
    values: Mapping[str, str | int] = {}

    def __post_init__(self) -> None:
        if not KEY.fullmatch(self.key):
            raise ValueError("a letter's key is 1 to 128 letters, digits, dots, dashes and underscores")

    def __repr__(self) -> str:
        # neither the address nor the values: a repr may end in a log
        return f"Letter({self.template!r}, key={self.key!r})"


class Written(msgspec.Struct, frozen=True):
    """A letter filled in: what the person will read."""

    subject: str
    text: str
    html: str

    def __repr__(self) -> str:
        # the bodies hold live links, and a repr may end in a log
        return "Written(...)"


class Letters:
    """The templates of every domain; the folder of a plugin stands before those it overrides."""

    def __init__(self, folders: Sequence[Path], *, product: str) -> None:
        self._folders = [path for folder in folders for path in (folder / COMPILED, folder)]
        self._loader = FileSystemLoader(self._folders)
        self._templates = Environment(
            loader=self._loader,
            autoescape=select_autoescape(default=True, disabled_extensions=("txt",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals["product"] = Wording(flat(product))

    def write(self, letter: Letter) -> Written:
        """Fill a letter's two templates in."""
        values = {name: _shown(value) for name, value in letter.values.items()}
        head, _, text = self._filled(f"{letter.template}.txt", values).partition("\n")
        if not head.startswith(SUBJECT):
            raise UnusableLetter(f"{letter.template}.txt does not start with a line '{SUBJECT}...'")
        html = self._filled(f"{letter.template}.html", values)
        return Written(flat(head.removeprefix(SUBJECT)), text.strip() + "\n", html)

    def templates(self) -> list[str]:
        """The name of each letter of which at least one half is there."""
        halves = [path for folder in self._folders for kind in ("txt", "html") for path in folder.glob(f"*.{kind}")]
        return sorted({path.stem for path in halves})

    def wants(self, template: str) -> frozenset[str]:
        """The names of the values that a letter uses; UnusableLetter when one of its halves is not there."""
        return self._used(f"{template}.txt") | self._used(f"{template}.html")

    def _filled(self, file: str, values: Mapping[str, str | int]) -> str:
        try:
            return self._templates.get_template(file).render(values)
        except TemplateError as error:
            raise _unusable(file, error) from error

    def _used(self, file: str) -> frozenset[str]:
        try:
            source, _, _ = self._loader.get_source(self._templates, file)
            names = meta.find_undeclared_variables(self._templates.parse(source))
        except TemplateError as error:
            raise _unusable(file, error) from error
        return frozenset(names - self._templates.globals.keys())


def flat(text: str) -> str:
    """The text on one line, without control characters, lone surrogates, hidden and turning marks."""
    seen = (char for char in text if char.isspace() or char in JOINERS or category(char) not in UNSEEN)
    return " ".join("".join(seen).split())


def inert(text: str) -> str:
    """What a person typed, so that no mail program makes a link of it: `evil.com/x` is `evil·com x`.

    It stays readable, where leaving it out would turn `Booking.com` into nobody.
    """
    shown = DOT_INSIDE.sub("·", SLASH_AT_COLON.sub(" ", flat(text)))
    shown = " ".join(shown.split())
    return shown if len(shown) <= LONGEST_VALUE else shown[:LONGEST_VALUE] + "…"


def _shown(value: str | int) -> str | int:
    match value:
        case Link() | int():
            return value
        case Wording():
            return Wording(flat(value))
        case str():
            return inert(value)
    raise TypeError(f"a letter's value is text or a whole number, not {type(value).__name__}")


def _unusable(file: str, error: TemplateError) -> UnusableLetter:
    hint = "; `python -m tenantry.foundation.net.typeset` sets the pages" if file.endswith(".html") else ""
    return UnusableLetter(f"{file}: {error.message or type(error).__name__}{hint}")
