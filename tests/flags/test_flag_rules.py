"""Rules are tried in order: who asks, on which plan, in which role, when, with which attributes, by other flags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from flag_kit import act, defined, flags_as, house_work, member_work, put, uuid_of

from tenantry.flags import flag_is_on, flag_value, flags_for, flags_of
from tenantry.flags.models import Context, StoredFlag, part_of, snapshot
from tenantry.foundation.data.ids import ORG_ID, USER_ID
from tenantry.plans import actions as plans
from tenantry.testing import Installation

ORG, OTHER = UUID(int=7), UUID(int=8)
USER = UUID(int=9)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BEFORE, AFTER = NOW - timedelta(hours=1), NOW + timedelta(hours=1)


def stored(key: str, *, killed: bool = False, **rest: Any) -> StoredFlag:
    """A row, as if it had been read."""
    one = defined(**rest)
    return StoredFlag(
        key, one.kind, msgspec.json.encode(one.variants).decode(), one.default, one.off,
        msgspec.json.encode(one.rules).decode(), one.salt, killed, one.visible, "", None, None, None, 1, NOW, NOW,
    )  # fmt: skip


def decided(key: str, rows: list[StoredFlag], **context: Any) -> tuple[Any, str]:
    """What a flag gives to somebody, and why."""
    flag = snapshot((), rows, (), times={}).flags[key]
    asking = {"org": ORG, "user": USER, "plan": "pro", "role": "admin", "actor": "person"} | context
    assert flag.decide is not None
    found = flag.decide(Context(clock=NOW.timestamp, **asking))
    return found.value, found.reason


def about(what: str, op: str, *values: Any) -> dict[str, Any]:
    return {"variant": "on", "when": [{"about": what, "op": op, "values": list(values)}]}


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({"variant": "on"}, True),
        (about("org", "in", ORG_ID.text(ORG)), True),
        (about("org", "in", ORG_ID.text(OTHER)), False),
        (about("org", "not_in", ORG_ID.text(OTHER)), True),
        (about("user", "in", USER_ID.text(USER)), True),
        (about("user", "in", USER_ID.text(ORG)), False),
        (about("plan", "in", "pro", "team"), True),
        (about("plan", "in", "free"), False),
        (about("plan", "not_in", "pro"), False),
        (about("role", "in", "admin", "owner"), True),
        (about("role", "in", "member"), False),
        (about("actor", "in", "api_key"), False),
        (about("key", "not_in", "key_01jd4w2q8nf6v9m3x5c7b1r0kt"), True),
        (about("country", "in", "de"), True),
        (about("country", "in", "fr"), False),
        (about("country", "contains", "d"), True),
        (about("tags", "contains", "beta"), True),
        (about("tags", "contains", "bet"), False),
        (about("seats", "gt", 9), True),
        (about("seats", "gt", 10), False),
        (about("seats", "lt", 10.5), True),
        (about("country", "gt", 1), False),
        (about("beta", "in", True), True),  # noqa: FBT003
        (about("beta", "in", 1), False),
        (about("seats", "in", 10), True),
        (about("nobody_knows", "in", "x"), False),
        (about("nobody_knows", "not_in", "x"), True),
        ({"variant": "on", "begins": BEFORE.isoformat()}, True),
        ({"variant": "on", "begins": AFTER.isoformat()}, False),
        ({"variant": "on", "begins": NOW.isoformat()}, True),
        ({"variant": "on", "ends": NOW.isoformat()}, False),
        ({"variant": "on", "begins": BEFORE.isoformat(), "ends": AFTER.isoformat()}, True),
        ({"variant": "on", "needs": {"other": ["on"]}}, True),
        ({"variant": "on", "needs": {"other": ["off"]}}, False),
        ({"variant": "on", "needs": {"gone": ["on"]}}, False),
        ({"variant": "on", "needs": {"killed": ["on"]}}, False),
        ({"variant": "on", "needs": {"killed": ["off"]}}, True),
        ({"split": [{"variant": "on", "weight": 100_000}]}, True),
        ({"split": [{"variant": "on", "weight": 0}]}, False),
        (about("plan", "in", "pro") | {"ends": NOW.isoformat()}, False),
    ],
)
def test_a_rule_of_each_kind_fits_those_whom_it_names(rule: dict[str, Any], fits: bool) -> None:
    rows = [
        stored("flag", rules=[rule]),
        stored("other", rules=[about("plan", "in", "pro")]),
        stored("killed", rules=[{"variant": "on"}], killed=True),
    ]
    attributes = {"country": "de", "tags": ["beta", "eu"], "seats": 10, "beta": True}
    assert decided("flag", rows, attributes=attributes)[0] is fits


def test_the_first_rule_that_fits_decides_and_the_default_where_none_does() -> None:
    variants = {"a": "A", "b": "B", "c": "C"}
    rules = [
        {"variant": "b", "when": [{"about": "plan", "values": ["pro"]}]},
        {"variant": "c", "when": [{"about": "role", "values": ["admin"]}]},
    ]
    row = stored("flag", kind="string", variants=variants, default="a", off=None, rules=rules)
    assert decided("flag", [row]) == ("B", "TARGETING_MATCH")
    assert decided("flag", [row], plan="free") == ("C", "TARGETING_MATCH")
    assert decided("flag", [row], plan="free", role="member") == ("A", "DEFAULT")
    assert decided("flag", [stored("flag")]) == (False, "STATIC")


def test_what_the_house_knows_is_not_replaced_by_attributes() -> None:
    row = stored("flag", rules=[about("plan", "in", "enterprise"), about("role", "in", "owner")])
    assert decided("flag", [row], attributes={"plan": "enterprise", "role": "owner"})[0] is False


def test_shares_stay_with_whom_they_took_while_they_grow_and_flags_are_cut_apart() -> None:
    orgs = [UUID(int=number) for number in range(1, 2001)]

    def taken(weight: int, key: str = "flag", salt: str = "") -> set[UUID]:
        row = stored(key, salt=salt, rules=[{"split": [{"variant": "on", "weight": weight}]}])
        return {org for org in orgs if decided(key, [row], org=org) == (True, "SPLIT")}

    tenth, quarter, all_of_them = taken(10_000), taken(25_000), taken(100_000)
    assert tenth < quarter < all_of_them == set(orgs)
    assert 140 < len(tenth) < 260
    assert 420 < len(quarter) < 580
    # who is first with one flag is not first with every other
    assert len(taken(10_000, "another") & tenth) < 60
    assert len(taken(10_000, salt="anew") & tenth) < 60
    assert {org for org in orgs if part_of("flag", "", org) < 10_000} == tenth


def test_a_share_counts_persons_where_it_says_so_and_passes_by_who_is_none() -> None:
    rule = {"split": [{"variant": "on", "weight": 50_000}], "by": "user"}
    row = stored("flag", rules=[rule, {"variant": "on", "when": [{"about": "actor", "values": ["api_key"]}]}])
    found = {user: decided("flag", [row], user=UUID(int=user))[0] for user in range(1, 200)}
    assert {True, False} == set(found.values())
    # the same in every organization
    assert all(decided("flag", [row], user=UUID(int=user), org=OTHER)[0] is value for user, value in found.items())
    assert decided("flag", [row], user=None, actor="api_key") == (True, "TARGETING_MATCH")
    assert decided("flag", [row], user=None) == (False, "DEFAULT")


def test_a_split_gives_each_variant_its_share() -> None:
    variants = {"a": 1, "b": 2.5, "c": 3}
    split = [{"variant": "a", "weight": 20_000}, {"variant": "b", "weight": 30_000}]
    row = stored("flag", kind="number", variants=variants, default="c", off=None, rules=[{"split": split}])
    found = [decided("flag", [row], org=UUID(int=number)) for number in range(2000)]
    shares = {value: found.count((value, "SPLIT")) for value in (1, 2.5)}
    assert 320 < shares[1] < 480
    assert 500 < shares[2.5] < 700
    assert found.count((3, "DEFAULT")) == 2000 - sum(shares.values())


@pytest.mark.parametrize("rules", [[], [{"variant": "a"}]])
def test_an_object_is_given_as_a_copy(rules: list[dict[str, Any]]) -> None:
    row = stored("flag", kind="object", variants={"a": {"list": [1]}}, default="a", off=None, rules=rules)
    flag = snapshot((), [row], (), times={}).flags["flag"]
    assert flag.decide is not None
    context = Context(clock=NOW.timestamp)
    flag.decide(context).value["list"].append(2)
    assert flag.decide(context).value == {"list": [1]}


async def test_the_plan_and_role_are_those_of_the_organization_that_asks(house: Installation) -> None:
    team = await house.team()
    await put(house, "by_plan", rules=[about("plan", "in", "pro")])
    await put(house, "by_role", rules=[about("role", "in", "owner")])
    assert not (await flags_as(house, team.owner, team.org)).is_on("by_plan")
    async with house_work(house) as work:
        await plans.give_plan(work, org_id=uuid_of(team.org), plan="pro", source="grant")
    flags = await flags_as(house, team.owner, team.org)
    assert (flags.is_on("by_plan"), flags.is_on("by_role")) == (True, True)
    flags = await flags_as(house, team.member, team.org)
    assert (flags.is_on("by_plan"), flags.is_on("by_role")) == (True, False)
    async with house_work(house) as work:
        assert (await flags_for(work, uuid_of(team.org))).is_on("by_plan")
        # nobody's organization is no organization's
        assert not (await flags_of(work)).is_on("by_plan")
        assert not await flag_is_on(work, "by_plan")


async def test_the_plan_is_looked_up_only_where_a_rule_asks_for_it(house: Installation) -> None:
    team = await house.team()
    await put(house, "plan_free", rules=[about("role", "in", "owner")])
    await put(house, "plan_asked", rules=[about("plan", "in", "free")])
    await put(house, "through_another", rules=[{"variant": "on", "needs": {"plan_asked": ["on"]}}])
    async with await member_work(house, team.owner, team.org) as work:
        assert await flag_is_on(work, "plan_free")
        assert "flags.plans" not in work.call.kept
        assert await flag_is_on(work, "through_another")
        assert work.call.kept["flags.plans"] == {uuid_of(team.org): "free"}


async def test_a_killed_flag_is_off_for_all_and_an_override_comes_before_the_rules(house: Installation) -> None:
    ours, theirs = await house.team(), await house.team()
    await put(house, "switch", rules=[{"variant": "on"}])
    await act(house, "override_flag", org_id=uuid_of(ours.org), key="switch", variant="off", reason="asked")

    async def found() -> list[tuple[bool, str]]:
        flags = [await flags_as(house, team.owner, team.org) for team in (ours, theirs)]
        return [(one.is_on("switch"), one.details("switch", default=False).reason) for one in flags]

    assert await found() == [(False, "OVERRIDE"), (True, "TARGETING_MATCH")]
    await act(house, "override_flag", org_id=uuid_of(ours.org), key="switch", variant="on", reason="asked")
    await act(house, "kill_flag", key="switch")
    assert await found() == [(False, "DISABLED"), (False, "DISABLED")]
    await act(house, "revive_flag", key="switch")
    assert await found() == [(True, "OVERRIDE"), (True, "TARGETING_MATCH")]
    await act(house, "lift_flag_override", org_id=uuid_of(ours.org), key="switch")
    assert await found() == [(True, "TARGETING_MATCH"), (True, "TARGETING_MATCH")]


async def test_a_killed_flag_that_does_not_say_what_it_gives_then_gives_the_callers_default(
    house: Installation,
) -> None:
    team = await house.team()
    await put(house, "limit", kind="number", variants={"few": 10}, default="few", off=None)
    await act(house, "kill_flag", key="limit")
    async with await member_work(house, team.owner, team.org) as work:
        assert await flag_value(work, "limit", 3) == 3
        assert (await flags_of(work)).details("limit", 3).reason == "DISABLED"
