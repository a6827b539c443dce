"""Asking for a flag never raises: whatever is stored, asked and known, there is a value, and a reason for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flag_kit import flags_as, put, seen
from hypothesis import given, settings
from hypothesis import strategies as some

from tenantry.flags.exchanges import Flags, flags_kept
from tenantry.flags.models import Context, Override, StoredFlag, snapshot
from tenantry.testing import Installation

AT = datetime(2026, 6, 1, tzinfo=UTC)
KINDS = ("boolean", "string", "number", "object")
KEYS = some.sampled_from(["a", "b", "c", "d"])
JSON = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**60), 2**60) | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
VARIANTS = some.sampled_from(["on", "off", "gone"])
CONDITIONS = some.fixed_dictionaries({
    "about": some.sampled_from(["org", "user", "plan", "role", "actor", "key", "country"]),
    "op": some.sampled_from(["in", "not_in", "contains", "gt", "lt"]),
    "values": some.lists(JSON, max_size=3),
})  # fmt: skip
SHARES = some.fixed_dictionaries({"variant": VARIANTS, "weight": some.integers(-5, 100_005)})
RULES = some.fixed_dictionaries(
    {},
    optional={
        "variant": VARIANTS,
        "split": some.lists(SHARES, max_size=3),
        "by": some.sampled_from(["org", "user"]),
        "when": some.lists(CONDITIONS, max_size=3),
        "needs": some.dictionaries(KEYS, some.lists(VARIANTS, max_size=2), max_size=2),
        "begins": some.just("2026-01-01T00:00:00Z"),
        "unknown": JSON,
    },
)  # fmt: skip
ROWS = some.builds(
    StoredFlag,
    key=KEYS, kind=some.sampled_from([*KINDS, "colour"]),
    variants=some.one_of(
        some.just('{"on": true, "off": false}'), some.just('{"on": {"a": 1}, "off": {}}'), some.just("[1"),
        some.dictionaries(VARIANTS, JSON, max_size=3).map(lambda one: msgspec.json.encode(one).decode()),
    ),
    default_variant=VARIANTS, off_variant=some.none() | VARIANTS,
    rules=some.lists(RULES, max_size=3).map(lambda one: msgspec.json.encode(one).decode()) | some.just("{"),
    salt=some.text(max_size=3), killed=some.booleans(), visible=some.booleans(), description=some.text(max_size=3),
    team=some.none(), expires_at=some.none(), same_since=some.none(), version=some.just(1),
    created_at=some.just(AT), updated_at=some.just(AT),
)  # fmt: skip
ANYTHING = some.one_of(JSON, some.binary(max_size=3), some.builds(object), some.just(float("nan")))


@settings(max_examples=300, deadline=None)
@given(
    rows=some.lists(ROWS, max_size=4, unique_by=lambda row: row.key),
    overrides=some.lists(some.tuples(KEYS, VARIANTS), max_size=3),
    known=some.dictionaries(some.sampled_from(["org", "user", "plan", "role", "actor", "key"]), ANYTHING),
    attributes=ANYTHING,
    asked=ANYTHING | KEYS,
    default=ANYTHING,
)
def test_whatever_is_stored_and_known_a_value_and_a_reason_are_given(
    house_flags: Any,
    rows: list[StoredFlag],
    overrides: list[tuple[str, str]],
    known: Any,
    attributes: Any,
    asked: Any,
    default: Any,
) -> None:
    own = [Override(UUID(int=7), key, variant, "") for key, variant in overrides]
    found = snapshot((), rows, own, times={})
    flags = Flags(
        house_flags, found, Context(clock=AT.timestamp, **{"org": UUID(int=7)} | known, attributes=attributes)
    )
    for key in (asked, *(row.key for row in rows)):
        told = flags.details(key, default)
        assert told.reason
        if told.reason == "ERROR":
            assert told.value is default
            assert told.fault
        assert isinstance(flags.is_on(key), bool)
    assert list(flags.visible()) is not None


@pytest.fixture(scope="module")
def house_flags() -> Any:
    """Where what could not be evaluated is told."""

    class Silent:
        def complain(self, key: str, error: Exception) -> None:
            """Heard."""

    return Silent()


@pytest.mark.parametrize(
    ("key", "default", "value", "reason", "fault"),
    [
        ("text", "mine", "A", "STATIC", None),
        ("text", None, "A", "STATIC", None),
        ("text", 1, 1, "ERROR", "TYPE_MISMATCH"),
        ("text", True, True, "ERROR", "TYPE_MISMATCH"),
        ("text", object, object, "ERROR", "TYPE_MISMATCH"),
        ("count", 1.5, 3, "STATIC", None),
        ("count", True, True, "ERROR", "TYPE_MISMATCH"),
        ("gone", 1, 1, "ERROR", "FLAG_NOT_FOUND"),
        ("", None, None, "ERROR", "FLAG_NOT_FOUND"),
    ],
)
async def test_a_wrong_question_is_answered_with_the_callers_default(
    house: Installation, key: str, default: Any, value: Any, reason: str, fault: str | None
) -> None:
    await put(house, "text", kind="string", variants={"a": "A"}, default="a", off=None)
    await put(house, "count", kind="number", variants={"a": 3}, default="a", off=None)
    found = (await flags_as(house, (team := await house.team()).owner, team.org)).details(key, default)
    assert (found.value, found.reason, found.fault) == (value, reason, fault)


async def test_a_row_that_cannot_be_read_breaks_its_own_flag_only(house: Installation) -> None:
    team = await house.team()
    await put(house, "whole", rules=[{"variant": "on"}])
    for key, rules in (
        ("torn", '[{"from a later": "version"}]'),
        ("self", '[{"variant": "on", "needs": {"self": ["on"]}}]'),
    ):
        await house.rows(
            "insert into tenantry.flags (key, kind, variants, default_variant, rules)"
            " values ($1, 'boolean', '{\"on\": true}', 'on', $2) returning key", key, rules,
        )  # fmt: skip
    await house.rows("update tenantry.flags_version set version = version + 1 returning version")
    await seen(house.runtime)
    flags = await flags_as(house, team.owner, team.org)
    assert flags.is_on("whole")
    for key in ("torn", "self"):
        assert flags.details(key, default=False).fault == "PARSE_ERROR"
        assert flags_kept(house.runtime).now.broken[key]
