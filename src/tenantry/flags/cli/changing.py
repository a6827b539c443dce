"""Defines flags: makes and changes them, adds and takes away rules, kills, revives and removes them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, TypeVar, get_args

import msgspec
from msgspec.structs import replace

from tenantry.flags import actions
from tenantry.flags.cli.showing import OPERATOR, FlagKey, FlagLines, Whole, definition_of, show_flags, whole
from tenantry.flags.models import WHOLE, Condition, Definition, Rule, Share
from tenantry.foundation.call import Call
from tenantry.foundation.command import BadUsage, Command, Option
from tenantry.foundation.flag import FLAG_KEY, FlagKind
from tenantry.foundation.instants import read_instant
from tenantry.foundation.problems import VersionMismatch
from tenantry.foundation.work import SystemWork

PERCENT = re.compile(r"(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)
Shape = TypeVar("Shape")
IfVersion = Annotated[int | None, Option("Only if it is this version that is changed (0: only if it is not there).")]
Some = Annotated[list[str] | None, Option("One of some; say it again for each.")]


async def set_flag(
    call: Call,
    *,
    key: FlagKey,
    kind: Annotated[str | None, Option("`boolean`, `string`, `number` or `object`: makes a flag that is new.")] = None,
    variants: Annotated[str | None, Option("Its values by the names of its variants, as JSON.")] = None,
    default: Annotated[str | None, Option("The variant that is given where no rule gives one.")] = None,
    off: Annotated[str | None, Option("The variant that is given while it is killed; empty for none.")] = None,
    rules: Annotated[str | None, Option("All of its rules, as JSON.")] = None,
    visible: Annotated[bool | None, Option("Whether members see what they have.", flag="--visible/--hidden")] = None,
    description: Annotated[str | None, Option("What it is for.")] = None,
    team: Annotated[str | None, Option("Who looks after it; empty for nobody.")] = None,
    expires: Annotated[str | None, Option("When it should be gone (RFC 3339); empty for never.")] = None,
    salt: Annotated[str | None, Option("Another one deals all shares anew.")] = None,
    if_version: IfVersion = None,
) -> Whole:
    """Make a flag, or change what is named of it."""
    given: dict[str, Any] = {
        "variants": None if variants is None else _read(variants, dict[str, Any], "--variants"),
        "default": default,
        "rules": None if rules is None else _read(rules, tuple[Rule, ...], "--rules"),
        "visible": visible,
        "description": description,
        "salt": salt,
    }
    given = {name: value for name, value in given.items() if value is not None}
    emptied = {"off": off, "team": team, "expires": None if expires is None else _moment(expires, "--expires")}
    given |= {name: value or None for name, value in emptied.items() if value is not None}
    async with SystemWork(call, reason=OPERATOR) as work:
        before, version = await definition_of(work, _key(key))
        _match(version, if_version)
        definition = _new(key, kind, given) if before is None else _fit(before, given, kind)
        await actions.put_flag(work, key=key, definition=definition, if_version=version)
        return await whole(work, key)


async def add_rule(
    call: Call,
    *,
    key: FlagKey,
    variant: Annotated[str | None, Option("What it gives; without it `on` for a share, or a split.")] = None,
    percent: Annotated[str | None, Option("To how many of a hundred, such as 12.5; without it to all.")] = None,
    split: Annotated[list[str] | None, Option("A share as `variant=percent`; say it again for each.")] = None,
    by: Annotated[str, Option("Whether shares are counted by `org` or by `user`.")] = "org",
    org: Some = None,
    user: Some = None,
    plan: Some = None,
    role: Some = None,
    when: Annotated[list[str] | None, Option("Another condition, as JSON; say it again for each.")] = None,
    needs: Annotated[list[str] | None, Option("Another flag as `key=variant`; say it again for each.")] = None,
    begins: Annotated[str | None, Option("From when on (RFC 3339).")] = None,
    ends: Annotated[str | None, Option("Until when (RFC 3339).")] = None,
    note: Annotated[str, Option("Why.")] = "",
    at: Annotated[int | None, Option("As which rule, from 1 on; without it as the last.")] = None,
    if_version: IfVersion = None,
) -> Whole:
    """Add a rule: who gets which variant. The first rule that fits decides."""
    conditions = [Condition(about=name, values=tuple(some)) for name, some in
                  (("org", org), ("user", user), ("plan", plan), ("role", role)) if some]  # fmt: skip
    conditions += [_read(one, Condition, "--when") for one in when or ()]
    given = {"by": by, "when": conditions, "needs": _needs(needs or ()), "note": note} | _gives(variant, percent, split)
    rule: Rule = _convert(
        given | {"begins": _maybe_moment(begins, "--begins"), "ends": _maybe_moment(ends, "--ends")}, Rule
    )

    def added(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        place = len(rules) if at is None else at - 1
        if not 0 <= place <= len(rules):
            raise BadUsage(f"--at is 1 to {len(rules) + 1}")
        return (*rules[:place], rule, *rules[place:])

    return await _with_rules(call, key, added, if_version)


async def widen_rule(
    call: Call,
    *,
    key: FlagKey,
    number: Annotated[int, Option("Which rule, from 1 on.")],
    percent: Annotated[str, Option("To how many of a hundred; whoever is in it stays in it while it grows.")],
    if_version: IfVersion = None,
) -> Whole:
    """Change how large the share of a rule is that gives one variant to some."""

    def widened(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        rule = rules[_place(number, rules)]
        if len(rule.split) != 1:
            raise BadUsage("--number is a rule that gives one variant to a share")
        share = replace(rule.split[0], weight=_weight(percent))
        return (*rules[: number - 1], replace(rule, split=(share,)), *rules[number:])

    return await _with_rules(call, key, widened, if_version)


async def remove_rule(
    call: Call,
    *,
    key: FlagKey,
    number: Annotated[int, Option("Which rule, from 1 on.")],
    if_version: IfVersion = None,
) -> Whole:
    """Take a rule away."""

    def without(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        place = _place(number, rules)
        return (*rules[:place], *rules[place + 1 :])

    return await _with_rules(call, key, without, if_version)


async def kill(call: Call, *, key: FlagKey) -> Whole:
    """Turn a flag off for everybody, whatever its rules and overrides say."""
    async with SystemWork(call, reason=OPERATOR) as work:
        await actions.kill_flag(work, key=key)
        return await whole(work, key)


async def revive(call: Call, *, key: FlagKey) -> Whole:
    """Let a flag that was killed go by its rules and overrides again."""
    async with SystemWork(call, reason=OPERATOR) as work:
        await actions.revive_flag(work, key=key)
        return await whole(work, key)


async def remove(call: Call, *, key: FlagKey) -> FlagLines:
    """Remove a flag with its overrides; one that a domain declares is as that declares it from then on."""
    async with SystemWork(call, reason=OPERATOR) as work:
        await actions.remove_flag(work, key=key)
    return await show_flags(call)


async def _with_rules(call: Call, key: str, change: Any, if_version: int | None) -> Whole:
    async with SystemWork(call, reason=OPERATOR) as work:
        before, version = await definition_of(work, key)
        if before is None:
            return await whole(work, key)
        _match(version, if_version)
        definition = replace(before, rules=change(before.rules))
        await actions.put_flag(work, key=key, definition=definition, if_version=version)
        return await whole(work, key)


def _match(version: int, wanted: int | None) -> None:
    # what changes between this look and the verb's is refused by the verb
    if wanted not in (None, version):
        raise VersionMismatch


def _new(key: str, kind: str | None, given: dict[str, Any]) -> Definition:
    if kind is None:
        raise BadUsage(f"there is no flag {key}, and no domain declares one; with --kind it is made")
    if kind not in get_args(FlagKind):
        raise BadUsage(f"--kind is one of {', '.join(get_args(FlagKind))}")
    if kind == "boolean":
        given = {"variants": {"on": True, "off": False}, "default": "off", "off": "off"} | given
    for name in ("variants", "default"):
        if name not in given:
            raise BadUsage(f"a {kind} needs --{name}")
    return _checked({"kind": kind} | given)


def _fit(before: Definition, given: dict[str, Any], kind: str | None) -> Definition:
    if kind not in (None, before.kind):
        raise BadUsage(f"--kind is {before.kind} and stays it: code falls back to values of that kind")
    return _checked(msgspec.structs.asdict(before) | given)


def _checked(given: dict[str, Any]) -> Definition:
    return _convert(given, Definition)


def _convert(given: dict[str, Any], kind: type[Shape]) -> Shape:
    try:
        return msgspec.convert(msgspec.to_builtins(given, builtin_types=(datetime,)), kind)
    except msgspec.ValidationError as error:
        raise BadUsage(str(error)) from error


def _gives(variant: str | None, percent: str | None, split: list[str] | None) -> dict[str, Any]:
    if split:
        if variant or percent:
            raise BadUsage("--split goes without --variant and --percent")
        return {"split": [_share(one) for one in split]}
    if percent is None:
        return {"variant": variant or "on"}
    return {"split": [Share(variant=variant or "on", weight=_weight(percent))]}


def _share(given: str) -> Share:
    variant, equals, percent = given.partition("=")
    if not equals:
        raise BadUsage("--split is such as on=12.5")
    return _convert({"variant": variant, "weight": _weight(percent)}, Share)


def _weight(percent: str) -> int:
    found = PERCENT.fullmatch(percent)
    weight = int(found.group(1)) * 1000 + int((found.group(2) or "").ljust(3, "0")) if found else WHOLE + 1
    if weight > WHOLE:
        raise BadUsage("a percentage is 0 to 100, with three decimals at most")
    return weight


def _needs(given: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in given:
        key, equals, variant = one.partition("=")
        if not equals:
            raise BadUsage("--needs is such as other_flag=on")
        found.setdefault(key, []).append(variant)
    return found


def _place(number: int, rules: tuple[Rule, ...]) -> int:
    if not 1 <= number <= len(rules):
        raise BadUsage(f"--number is 1 to {len(rules)}" if rules else "the flag has no rules")
    return number - 1


def _read(text: str, kind: Any, option: str) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadUsage(f"{option}: {error}") from error
    except RecursionError as error:
        raise BadUsage(f"{option} is nested too deep") from error


def _maybe_moment(given: str | None, option: str) -> datetime | None:
    return None if given is None else _moment(given, option) or None


def _moment(given: str, option: str) -> Any:
    """A moment; an empty text stays one, which takes away what was there."""
    if not given:
        return given
    try:
        return read_instant(given)
    except ValueError as error:
        raise BadUsage(f"{option} is a moment such as 2026-12-31T00:00:00Z") from error


def _key(key: str) -> str:
    if re.fullmatch(FLAG_KEY, key) is None:
        raise BadUsage("--key is 1 to 64 small letters, digits, `_`, `.` and `-`, and begins with a letter")
    return key


commands = (
    Command("flags", "set", set_flag),
    Command("flags", "rule", add_rule),
    Command("flags", "widen", widen_rule),
    Command("flags", "unrule", remove_rule),
    Command("flags", "kill", kill),
    Command("flags", "revive", revive),
    Command("flags", "remove", remove),
)
