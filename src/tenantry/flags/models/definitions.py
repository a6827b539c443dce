"""Definitions of flags as values: variants, and rules that are tried in order. What does not fit together is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tenantry.foundation.data.ids import API_KEY_ID, ORG_ID, USER_ID, IdKind
from tenantry.foundation.flag import FLAG_KEY, KIND_OF, FlagDeclaration, FlagKind

WHOLE = 100_000
"""Parts into which everybody is cut for percentages: a weight is so many of them."""
MOST_VARIANTS, MOST_RULES, MOST_CONDITIONS = 32, 100, 16
"""Variants of a flag; rules of a flag; conditions of a rule."""
MOST_VALUES = 1_000
"""Values that one condition of a rule compares with."""
MOST_DEEP = 8
"""Flags that need one another, one behind the other."""
LARGEST_NUMBER = 2**53
LONGEST_VALUES = 65_536
"""Characters of JSON in all variants of a flag, and in all of its rules ten times as many."""

Key = Annotated[str, Meta(pattern=FLAG_KEY)]
Variant = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
Team = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
Plain = bool | int | float | str
Moment = Annotated[datetime, Meta(tz=True)]
# what the house itself says about whoever asks; `actor` is what kind of caller that is
IDS: Mapping[str, IdKind] = {"org": ORG_ID, "user": USER_ID, "key": API_KEY_ID}
OWN = frozenset((*IDS, "plan", "role", "actor"))


class OfAFlag(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a definition; what it does not know is refused."""


class Condition(OfAFlag, frozen=True):
    """What must hold of one thing that is known about whoever asks; what is not known holds for nothing but `not_in`.

    `contains` is about texts and lists; `gt` and `lt` compare numbers.
    """

    about: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    values: Annotated[tuple[Plain, ...], Meta(min_length=1, max_length=MOST_VALUES)]
    op: Literal["in", "not_in", "contains", "gt", "lt"] = "in"

    def faults(self) -> Iterator[str]:
        """What does not fit together in it."""
        if self.op in ("gt", "lt") and (len(self.values) > 1 or KIND_OF[type(self.values[0])] != "number"):
            yield f"{self.about} is compared with one number"
        if self.op == "contains" and not all(isinstance(value, str) for value in self.values):
            yield f"what {self.about} contains are texts"
        kind = IDS.get(self.about)
        if kind is not None and (self.op not in ("in", "not_in") or None in map(kind.read, map(str, self.values))):
            yield f"{self.about} is an id such as {kind.start}01jd4w2q8nf6v9m3x5c7b1r0kt, in or not_in some"


class Share(OfAFlag, frozen=True):
    """A part of everybody, in hundredths of a thousandth, and the variant that it has."""

    variant: Variant
    weight: Annotated[int, Meta(ge=0, le=WHOLE)]


class Rule(OfAFlag, frozen=True):
    """Who gets which variant: those for whom all conditions hold, while it lasts, all of them or a share.

    `needs` names other flags and which of their variants will do. Whom no share takes goes on to the next rule. Shares
    are counted from the first on, so whoever is in one that only grows stays in it.
    """

    variant: Variant | None = None
    split: Annotated[tuple[Share, ...], Meta(max_length=MOST_VARIANTS)] = ()
    by: Literal["org", "user"] = "org"
    when: Annotated[tuple[Condition, ...], Meta(max_length=MOST_CONDITIONS)] = ()
    needs: Annotated[dict[Key, tuple[Variant, ...]], Meta(max_length=MOST_CONDITIONS)] = {}
    begins: Moment | None = None
    ends: Moment | None = None
    note: Annotated[str, Meta(max_length=200)] = ""

    @property
    def named(self) -> set[str]:
        """The variants that it may give."""
        return {share.variant for share in self.split} | ({self.variant} if self.variant else set())

    @property
    def asks(self) -> bool:
        """Whether it depends on who asks, when, or on other flags."""
        return bool(self.when or self.needs or self.begins or self.ends)

    def faults(self) -> Iterator[str]:
        """What does not fit together in it."""
        if bool(self.variant) is bool(self.split):
            yield "gives either a variant or a split"
        if sum(share.weight for share in self.split) > WHOLE:
            yield f"shares more than {WHOLE} parts"
        if self.begins and self.ends and self.ends <= self.begins:
            yield "ends before it begins"
        for condition in self.when:
            yield from condition.faults()


class Definition(OfAFlag, frozen=True):
    """A flag: its variants, who gets which, and what it is about.

    `default` is what nobody's rule decides. `off` is what everybody has while it is killed; without it they have what
    the code that asks falls back to. A flag that is `visible` is shown to members, with the value that they have.
    """

    kind: FlagKind
    variants: Annotated[dict[Variant, Any], Meta(min_length=1, max_length=MOST_VARIANTS)]
    default: Variant
    off: Variant | None = None
    rules: Annotated[tuple[Rule, ...], Meta(max_length=MOST_RULES)] = ()
    salt: Annotated[str, Meta(max_length=64)] = ""
    visible: bool = False
    description: Annotated[str, Meta(max_length=500)] = ""
    team: Team | None = None
    expires: Moment | None = None

    @property
    def named(self) -> set[str]:
        """Every variant that it speaks of."""
        of_rules = (variant for rule in self.rules for variant in rule.named)
        return {self.default, *of_rules, *([self.off] if self.off else [])}

    @property
    def needs(self) -> set[str]:
        """The flags that its rules ask for."""
        return {key for rule in self.rules for key in rule.needs}

    @property
    def same(self) -> str | None:
        """The variant that everybody has of it, if that can be said without asking who it is."""
        for rule in self.rules:
            if rule.asks:
                return None
            if rule.variant:
                return rule.variant
            given = Counter({share.variant: share.weight for share in rule.split if share.weight})
            if given:
                [(variant, weight), *others] = given.most_common()
                return variant if weight == WHOLE and not others else None
        return self.default

    def faults(self) -> Iterator[str]:
        """What does not fit together in it, a sentence each."""
        for name, value in self.variants.items():
            if KIND_OF.get(type(value)) != self.kind:
                yield f"the variant {name} is no {self.kind}"
            elif self.kind == "number" and not abs(value) <= LARGEST_NUMBER:
                yield f"the variant {name} is larger than a reader of JSON is sure to understand"
        yield from (f"there is no variant {name}" for name in sorted(self.named - self.variants.keys()))
        for number, rule in enumerate(self.rules, start=1):
            yield from (f"rule {number} {fault}" for fault in rule.faults())
        yield from self._faults_of_texts()

    def _faults_of_texts(self) -> Iterator[str]:
        try:
            written = msgspec.json.encode(self)
        except UnicodeEncodeError:
            yield "a text is no Unicode"
            return
        if len(msgspec.json.encode(self.variants)) > LONGEST_VALUES or len(written) > 11 * LONGEST_VALUES:
            yield f"the variants are longer than {LONGEST_VALUES} characters, or the rules than ten times as many"
        # PostgreSQL has no text with it
        if b"\\u0000" in written.replace(b"\\\\", b""):
            yield "a text holds the NUL character"


def declared(flag: FlagDeclaration) -> Definition:
    """The definition that a declared flag has as long as nobody gives it another."""
    if flag.kind == "boolean":
        default = "on" if flag.default else "off"
        variants: dict[str, Any] = {"on": True, "off": False}
        off: str | None = "off"
    else:
        default, variants, off = "default", {"default": flag.default}, "default"
    return Definition(
        kind=flag.kind,
        variants=variants,
        default=default,
        off=off,
        visible=flag.visible,
        description=flag.sentence[:500],
    )


def chain_fault(needs: Mapping[str, set[str]], start: str) -> str | None:
    """What is wrong with the flags that a flag needs, and those that they need in turn; None where nothing is."""
    step = {start}
    for _ in range(MOST_DEEP + 1):
        step = {key for needing in step for key in needs.get(needing, ())}
        if start in step:
            return "it needs itself"
        if not step:
            return None
    return f"it needs more than {MOST_DEEP} flags one behind the other"
