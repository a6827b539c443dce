"""Flags made callable: each definition becomes functions once, when it is read, so that asking costs next to nothing.

Who is in which share is decided by a hash of flag, salt and whom it is counted by, in whole numbers; flags are cut
independently of each other.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal
from uuid import UUID

import msgspec

from tenantry.flags.models.contexts import Context
from tenantry.flags.models.definitions import IDS, OWN, WHOLE, Condition, Definition, Rule, Share
from tenantry.foundation.flag import FlagKind

Reason = Literal["STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "OVERRIDE", "DISABLED", "ERROR"]
Fault = Literal["FLAG_NOT_FOUND", "TYPE_MISMATCH", "PARSE_ERROR", "PROVIDER_NOT_READY", "GENERAL"]


class Details(msgspec.Struct, frozen=True):
    """What a flag gave: the value, which variant that is, why it, and what went wrong if something did."""

    value: Any
    variant: str | None
    reason: Reason
    fault: Fault | None = None


Decide = Callable[[Context], Details]
Holds = Callable[[Context], bool]
Hits = Callable[[Context], Details | None]


class Flag:
    """A flag that can be asked: `decide` gives what somebody has; None in its place is what the caller falls back to.

    `times` counts how often that was, in one place for as long as the process lives.
    """

    __slots__ = ("decide", "kind", "needs_plan", "times", "visible")

    def __init__(
        self, kind: FlagKind, decide: Decide | None, *, visible: bool, needs_plan: bool, times: list[int]
    ) -> None:
        self.kind = kind
        self.decide = decide
        self.visible = visible
        self.needs_plan = needs_plan
        self.times = times


def compiled(
    key: str,
    definition: Definition,
    *,
    killed: bool,
    overrides: Mapping[UUID, str],
    other: Callable[[str], Flag | None],
) -> Decide | None:
    """How a flag is decided: killed before all, then what an organization has of its own, then rules, then the default.

    `other` gives a flag that a rule needs. None: killed, and it does not say what everybody has then.
    """
    if killed:
        return None if definition.off is None else _always(definition, definition.off, "DISABLED")
    if not definition.rules and not overrides:
        return _always(definition, definition.default, "STATIC")
    own = {org: _given(definition, variant, "OVERRIDE") for org, variant in overrides.items()}
    rules = tuple(_rule(key, definition, rule, other) for rule in definition.rules)
    fallback = _given(definition, definition.default, "DEFAULT")

    def decide(context: Context) -> Details:
        if own and (found := own.get(context.org)) is not None:  # type: ignore[arg-type]
            return found
        for rule in rules:
            if (hit := rule(context)) is not None:
                return hit
        return fallback

    return _afresh(definition, decide)


def _always(definition: Definition, variant: str, reason: Reason) -> Decide:
    given = _given(definition, variant, reason)
    return _afresh(definition, lambda _: given)


def _given(definition: Definition, variant: str, reason: Reason) -> Details:
    return Details(definition.variants[variant], variant, reason)


def _afresh(definition: Definition, decide: Decide) -> Decide:
    """An object is given as a copy, so that whoever changes theirs changes nobody else's."""
    if definition.kind != "object":
        return decide
    written = {name: msgspec.json.encode(value) for name, value in definition.variants.items()}

    def copied(context: Context) -> Details:
        found = decide(context)
        return Details(msgspec.json.decode(written[found.variant or ""]), found.variant, found.reason)

    return copied


def _rule(key: str, definition: Definition, rule: Rule, other: Callable[[str], Flag | None]) -> Hits:
    tests = [*_lasting(rule), *map(_condition, rule.when), *(_needed(*need, other) for need in rule.needs.items())]
    if rule.variant is None:
        return _behind(tests, _split(key, definition, rule.split, by=rule.by))
    given = _given(definition, rule.variant, "TARGETING_MATCH")
    return _behind(tests, lambda _: given)


def _behind(tests: Sequence[Holds], hits: Hits) -> Hits:
    if not tests:
        return hits
    if len(tests) == 1:
        only = tests[0]
        return lambda context: hits(context) if only(context) else None
    every = tuple(tests)

    def hit(context: Context) -> Details | None:
        for holds in every:
            if not holds(context):
                return None
        return hits(context)

    return hit


def _lasting(rule: Rule) -> list[Holds]:
    tests: list[Holds] = []
    if rule.begins is not None:
        begins = rule.begins.timestamp()
        tests.append(lambda context: context.now >= begins)
    if rule.ends is not None:
        ends = rule.ends.timestamp()
        tests.append(lambda context: context.now < ends)
    return tests


def _needed(key: str, variants: Sequence[str], other: Callable[[str], Flag | None]) -> Holds:
    flag, wanted = other(key), frozenset(variants)
    if flag is None or flag.decide is None:
        return lambda _: False
    decide, times = flag.decide, flag.times

    def holds(context: Context) -> bool:
        times[0] += 1
        return decide(context).variant in wanted

    return holds


def _condition(test: Condition) -> Holds:
    look = _looking(test.about)
    if test.op == "contains":
        parts = [str(value) for value in test.values]
        return lambda context: _contains(look(context), parts)
    if test.op in ("gt", "lt"):
        bound, compare = test.values[0], operator.gt if test.op == "gt" else operator.lt
        return lambda context: _is_number(found := look(context)) and bool(compare(found, bound))
    kind = IDS.get(test.about)
    # True and 1 are the same to Python, and are not to whoever wrote the rule
    wanted = frozenset((type(value) is bool, value) for value in test.values)
    among: Holds = lambda context: _same(look(context), wanted)  # noqa: E731
    if kind is not None:
        ids = frozenset(map(kind.read, map(str, test.values)))
        among = lambda context: (found := look(context)) is not None and found in ids  # noqa: E731
    return among if test.op == "in" else lambda context: not among(context)


def _looking(about: str) -> Callable[[Context], Any]:
    return operator.attrgetter(about) if about in OWN else lambda context: context.known(about)


def _same(found: Any, wanted: frozenset[tuple[bool, Any]]) -> bool:
    return isinstance(found, bool | int | float | str) and (type(found) is bool, found) in wanted


def _contains(found: Any, parts: Sequence[str]) -> bool:
    return isinstance(found, str | list | tuple | set | frozenset) and any(part in found for part in parts)


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _split(key: str, definition: Definition, shares: Sequence[Share], *, by: Literal["org", "user"]) -> Hits:
    bounds: list[tuple[int, Details]] = []
    end = 0
    for share in shares:
        end += share.weight
        bounds.append((end, _given(definition, share.variant, "SPLIT")))
    begun = blake2b(f"{key}\0{definition.salt}\0".encode(), digest_size=8)
    whom = operator.attrgetter(by)

    def hit(context: Context) -> Details | None:
        target = whom(context)
        if target is None:
            return None
        part = _part(begun.copy(), target)
        for bound, given in bounds:
            if part < bound:
                return given
        return None

    return hit


def _part(hashed: Any, target: UUID | str) -> int:
    hashed.update(target.bytes if isinstance(target, UUID) else str(target).encode("utf-8", "surrogatepass"))
    return int.from_bytes(hashed.digest()) % WHOLE


def part_of(key: str, salt: str, target: UUID | str) -> int:
    """In which of the parts of everybody somebody is, for a flag: from 0 on."""
    return _part(blake2b(f"{key}\0{salt}\0".encode(), digest_size=8), target)
