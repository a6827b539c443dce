"""Operators change flags, and nobody else: each change in one commit with its event, its audit row and the version."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from flag_kit import act, defined, house_work, member_work, put, uuid_of

from patience import until
from tenantry.flags import actions, history, queries
from tenantry.flags.problems import BadFlag, FlagNeeded, NothingOverridden, UnknownFlag, UnknownVariant
from tenantry.foundation.events.folding import fold
from tenantry.foundation.problems import Forbidden, Invalid, NotFound, Problem, VersionMismatch
from tenantry.testing import Installation

NOBODYS = "org_01jd4w2q8nf6v9m3x5c7b1r0kt"


async def audited(house: Installation, action: str, key: str) -> list[tuple[Any, Any]]:
    """What the audit log says of a flag: before and after, oldest first."""
    rows = await house.rows(
        "select before, after from tenantry.audit_log where action = $1 and after ->> 'flag_key' = $2 order by at, id",
        action, key,
    )  # fmt: skip
    return [(row["before"] and json.loads(row["before"]), json.loads(row["after"])) for row in rows]


async def version(house: Installation) -> int:
    [row] = await house.rows("select version from tenantry.flags_version")
    return int(row["version"])


async def test_a_change_is_told_with_what_was_before_and_moves_the_version(house: Installation) -> None:
    at = await version(house)
    await put(house, "told", description="first")
    await put(house, "told", description="second", rules=[{"variant": "on"}])
    assert await version(house) == at + 2
    await house.assert_recorded("flags.flag_changed", flag_key="told", flag_version=2, description="second")
    [(nothing, first), (before, after)] = await audited(house, "flags:flag:changed", "told")
    assert nothing is None
    assert before == first
    assert (first["description"], first["rules"], first["flag_version"]) == ("first", [], 1)
    assert (after["description"], after["rules"], after["flag_version"]) == ("second", [{"variant": "on"}], 2)


async def test_killing_reviving_and_removing_are_told_once(house: Installation) -> None:
    await put(house, "ending")
    for verb in ("kill_flag", "kill_flag", "revive_flag", "revive_flag", "remove_flag"):
        await act(house, verb, key="ending")
    for kind, told in (("killed", [2]), ("revived", [3])):
        assert [after["flag_version"] for _, after in await audited(house, f"flags:flag:{kind}", "ending")] == told
    assert await audited(house, "flags:flag:removed", "ending") == [(None, {"flag_key": "ending"})]
    with pytest.raises(UnknownFlag):
        await act(house, "kill_flag", key="ending")


async def test_an_override_is_in_the_log_of_its_organization_only(house: Installation) -> None:
    ours, theirs = await house.team(), await house.team()
    await put(house, "own")
    for variant in ("on", "off"):
        await act(house, "override_flag", org_id=uuid_of(ours.org), key="own", variant=variant, reason="asked")
    await act(house, "lift_flag_override", org_id=uuid_of(ours.org), key="own")
    seen = (await ours.owner.get(f"{ours.path}/audit-log?action=flags:override")).json["items"]
    assert [(one["action"], one["before"], one["after"]) for one in reversed(seen)] == [
        ("flags:override:given", None, {"flag_key": "own", "variant": "on"}),
        ("flags:override:given", {"flag_key": "own", "variant": "on"}, {"flag_key": "own", "variant": "off"}),
        ("flags:override:lifted", {"flag_key": "own", "variant": "off"}, {"flag_key": "own"}),
    ]
    assert (await theirs.owner.get(f"{theirs.path}/audit-log?action=flags:override")).json["items"] == []


async def test_removing_a_flag_lifts_every_override_of_it(house: Installation) -> None:
    teams = [await house.team(), await house.team()]
    await put(house, "shared")
    for team in teams:
        await act(house, "override_flag", org_id=uuid_of(team.org), key="shared", variant="on", reason="asked")
    await act(house, "remove_flag", key="shared")
    for team in teams:
        await house.assert_recorded("flags.override_lifted", flag_key="shared", org_id=str(uuid_of(team.org)))
    assert not await house.rows("select from tenantry.flag_overrides where flag_key = 'shared'")


@asynccontextmanager
async def at_once(house: Installation, many: int) -> AsyncIterator[None]:
    """Whoever is let loose here goes on when so many of them wait for each other."""
    holder = await asyncpg.connect(house.runtime.database.url)
    async with holder.transaction():
        await holder.execute("set local role tenantry_system")
        await holder.execute("select from tenantry.flags_version for update")
        yield

        async def all_wait() -> bool:
            [row] = await house.rows(
                "select count(distinct pid) from pg_locks join pg_stat_activity using (pid)"
                " where datname = current_database() and not granted"
            )
            return bool(row["count"] >= many)

        await until(all_wait)
    await holder.close()


async def test_of_two_who_change_the_same_version_one_is_refused(house: Installation) -> None:
    await put(house, "raced")

    async def change(description: str) -> str:
        try:
            async with house_work(house) as work:
                await actions.put_flag(work, key="raced", definition=defined(description=description), if_version=1)
        except VersionMismatch:
            return "refused"
        return description

    async with at_once(house, 3):
        changing = [asyncio.create_task(change(name)) for name in ("left", "right", "middle")]
    outcomes = await asyncio.gather(*changing)
    assert outcomes.count("refused") == 2
    async with house_work(house) as work:
        found = await queries.flag(work, key="raced")
    assert found is not None
    assert (found.version, found.description) == (2, next(one for one in outcomes if one != "refused"))
    with pytest.raises(VersionMismatch):
        async with house_work(house) as work:
            await actions.put_flag(work, key="raced", definition=defined(), if_version=0)


async def test_of_two_who_would_close_a_circle_together_one_is_refused(house: Installation) -> None:
    await put(house, "chicken")
    await put(house, "egg")

    async def needs(key: str, other: str) -> bool:
        try:
            async with house_work(house) as work:
                definition = defined(rules=[{"variant": "on", "needs": {other: ["on"]}}])
                await actions.put_flag(work, key=key, definition=definition)
        except BadFlag:
            return False
        return True

    async with at_once(house, 2):
        changing = [asyncio.create_task(needs(*pair)) for pair in (("chicken", "egg"), ("egg", "chicken"))]
    assert sorted(await asyncio.gather(*changing)) == [False, True]


def rule(**rest: Any) -> dict[str, Any]:
    return {"rules": [{"variant": "on"} | rest]}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"default": "gone"}, "there is no variant gone"),
        ({"off": "gone"}, "there is no variant gone"),
        ({"variants": {"on": 1, "off": False}}, "the variant on is no boolean"),
        ({"kind": "number", "variants": {"on": 2**60, "off": 0}}, "larger than a reader"),
        ({"kind": "number", "variants": {"on": float("nan"), "off": 0}}, "larger than a reader"),
        ({"kind": "string", "variants": {"on": "x" * 70_000, "off": ""}}, "longer than 65536"),
        ({"kind": "string", "variants": {"on": "a\0b", "off": ""}}, "NUL"),
        ({"description": "\udcff"}, "no Unicode"),
        (rule(variant="gone"), "there is no variant gone"),
        (rule(variant=None), "rule 1 gives either a variant or a split"),
        (rule(split=[{"variant": "on", "weight": 1}]), "rule 1 gives either a variant or a split"),
        (
            rule(variant=None, split=[{"variant": "on", "weight": 60_000}, {"variant": "off", "weight": 60_000}]),
            "rule 1 shares more than 100000 parts",
        ),
        (rule(begins="2026-02-01T00:00:00Z", ends="2026-01-01T00:00:00Z"), "rule 1 ends before it begins"),
        (rule(when=[{"about": "org", "values": ["acme"]}]), "org is an id such as org_"),
        (rule(when=[{"about": "user", "op": "gt", "values": [1]}]), "user is an id such as usr_"),
        (rule(when=[{"about": "seats", "op": "gt", "values": ["x"]}]), "seats is compared with one number"),
        (rule(when=[{"about": "seats", "op": "lt", "values": [1, 2]}]), "seats is compared with one number"),
        (rule(when=[{"about": "seats", "op": "contains", "values": [1]}]), "what seats contains are texts"),
        (rule(needs={"wrong": ["on"]}), "wrong: it needs itself"),
        (rule(needs={"nowhere": ["on"]}), "there is no flag nowhere to need"),
    ],
)
async def test_what_makes_no_flag_is_refused_and_nothing_kept(
    house: Installation, wrong: dict[str, Any], said: str
) -> None:
    at = await version(house)
    with pytest.raises(BadFlag) as refused:
        async with house_work(house) as work:
            await actions.put_flag(work, key="wrong", definition=defined(**wrong))
    assert said in refused.value.detail
    assert await version(house) == at
    assert not await house.rows("select from tenantry.flags where key = 'wrong'")


async def test_flags_need_one_another_only_so_deep(house: Installation) -> None:
    await put(house, "deep0")
    for depth in range(1, 9):
        await put(house, f"deep{depth}", **rule(needs={f"deep{depth - 1}": ["on"]}))
    with pytest.raises(BadFlag, match="more than 8 flags"):
        await put(house, "deep9", **rule(needs={"deep8": ["on"]}))
    with pytest.raises(FlagNeeded):
        await act(house, "remove_flag", key="deep0")


@pytest.mark.parametrize(
    ("verb", "given", "why"),
    [
        ("override_flag", {"key": "gone", "variant": "on", "reason": "asked"}, UnknownFlag),
        ("override_flag", {"key": "there", "variant": "gone", "reason": "asked"}, UnknownVariant),
        ("override_flag", {"key": "there", "variant": "on", "reason": ""}, Invalid),
        ("override_flag", {"key": "there", "variant": "on", "reason": "asked", "org_id": uuid_of(NOBODYS)}, NotFound),
        ("lift_flag_override", {"key": "there"}, NothingOverridden),
        ("remove_flag", {"key": "gone", "org_id": None}, UnknownFlag),
        ("revive_flag", {"key": "gone", "org_id": None}, UnknownFlag),
    ],
)
async def test_what_is_not_there_is_neither_overridden_nor_removed(
    house: Installation, verb: str, given: dict[str, Any], why: type[Problem]
) -> None:
    await put(house, "there")
    team = await house.team()
    org = {} if "org_id" in given else {"org_id": uuid_of(team.org)}
    given = {name: value for name, value in given.items() if value is not None}
    at = await version(house)
    with pytest.raises(why):
        await act(house, verb, **given, **org)
    assert await version(house) == at


async def test_a_variant_that_an_organization_has_cannot_be_taken_away(house: Installation) -> None:
    team = await house.team()
    three = {"kind": "string", "off": None, "default": "a", "variants": {"a": "A", "b": "B"}}
    await put(house, "needed", **three)
    await act(house, "override_flag", org_id=uuid_of(team.org), key="needed", variant="b", reason="asked")
    with pytest.raises(BadFlag, match="an organization has the variant b"):
        await put(house, "needed", **three | {"variants": {"a": "A"}})


async def test_no_member_can_change_a_flag(house: Installation) -> None:
    team = await house.team()
    await put(house, "ours")
    for name, rest in (
        ("put_flag", {"key": "ours", "definition": defined()}),
        ("kill_flag", {"key": "ours"}),
        ("revive_flag", {"key": "ours"}),
        ("remove_flag", {"key": "ours"}),
        ("override_flag", {"org_id": uuid_of(team.org), "key": "ours", "variant": "on", "reason": "mine"}),
        ("lift_flag_override", {"org_id": uuid_of(team.org), "key": "ours"}),
        ("count_evaluations", {"asked": [("ours", 1)]}),
    ):
        work = await member_work(house, team.owner, team.org)
        work.reading = False
        with pytest.raises(Forbidden):
            async with work:
                await getattr(actions, name)(work, **rest)
    # nor past the verbs: the role that members act by sees and changes none of the tables
    for table in actions.TABLES:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with await member_work(house, team.owner, team.org) as work:
                await work.connection.execute(f"select from tenantry.{table}")


async def test_overrides_come_back_from_events_alone(house: Installation) -> None:
    team = await house.team()
    org_id = uuid_of(team.org)
    await put(house, "folded")
    instants = []
    steps: list[tuple[str, dict[str, Any]]] = [
        ("override_flag", {"variant": "on", "reason": "first"}),
        ("override_flag", {"variant": "off", "reason": "second"}),
        ("lift_flag_override", {}),
    ]
    for name, rest in steps:
        await act(house, name, org_id=org_id, key="folded", **rest)
        rows = await house.rows(
            "select *, clock_timestamp() as now from tenantry.flag_overrides where org_id = $1", org_id
        )
        [[now]] = await house.rows("select clock_timestamp()")
        instants.append((now, [{name: row[name] for name in history.OverrideThen.__struct_fields__} for row in rows]))
    for now, rows in instants:
        async with house_work(house) as work:
            folded = await fold(work, house.registry.folds, org_id=org_id, at=now)
        found = [{name: getattr(row, name) for name in row.__struct_fields__} for row in folded["flag_overrides"]]
        assert found == rows
    owner = await asyncpg.connect(house.runtime.database.url)
    columns = await owner.fetch(
        "select attname from pg_attribute"
        " where attrelid = 'tenantry.flag_overrides'::regclass and attnum > 0 and not attisdropped"
    )
    await owner.close()
    [one] = history.FOLDS
    assert {row["attname"] for row in columns} == {*one.row.__struct_fields__, *one.left_out}
