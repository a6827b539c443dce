"""`tenantry plans` as an operator types it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from plan_kit import PLANS, found, plan_file, selling, uuid_of

from commands import run_with_plans
from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, Installation

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
async def house(
    databases: Databases, registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installation]:
    """An installation with a plan file that the tests of this file share."""
    async with (
        databases.fresh() as url,
        selling(url, tmp_path_factory.mktemp("commands"), registry) as running,
    ):
        yield running


async def plans(house: Installation, *words: str) -> subprocess.CompletedProcess[str]:
    return await run_with_plans([sys.executable, "-m", "tenantry", "plans", *words], house)


async def answer(house: Installation, *words: str) -> Any:
    done = await plans(house, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_the_plans_are_listed_in_all_their_versions(house: Installation) -> None:
    listed = (await answer(house, "list"))["plans"]
    assert [(one["plan"], one["version"], one["default"]) for one in listed] == [
        ("free", 1, True),
        ("pro", 1, False),
        ("pro", 2, False),
        ("all", 1, False),
    ]
    assert listed[2]["prices"] == "1200 eur/month, 12000 eur/year"


async def test_an_organization_is_put_on_a_plan_and_taken_off_it(house: Installation) -> None:
    _, org = await found(house)
    assert (await answer(house, "of", "--org", org))["because"] == "the default"
    words = ("give", "--org", org, "--plan", "pro", "--version", "1", "--seats", "9", "--until", "2100-01-01")
    told = await answer(house, *words)
    end = "2100-01-01T00:00:00Z"
    assert [told[key] for key in ("plan", "version", "because", "seats", "valid_until")] == ["pro", 1, "grant", 9, end]
    assert (await answer(house, "take", "--org", org))["plan"] == "free"


async def test_an_organization_is_given_values_of_its_own_and_they_are_lifted(house: Installation) -> None:
    _, org = await found(house)
    for value, add_on in (("8", ()), ("2", ("--add-on",))):
        words = ("override", "--org", org, "--key", "projects", "--value", value, "--reason", "a friend", *add_on)
        told = await answer(house, *words)
    assert {one["key"]: one["value"] for one in told["entitlements"]}["projects"] == 10
    words = ("override", "--org", org, "--key", "seats", "--value", "unlimited", "--reason", "a friend")
    assert {one["key"]: one["value"] for one in (await answer(house, *words))["entitlements"]}["seats"] is None
    told = await answer(house, "lift", "--org", org, "--key", "projects")
    assert {one["key"]: one["value"] for one in told["entitlements"]}["projects"] == 4
    [noted] = await house.rows(
        "select after from tenantry.audit_log where org_id = $1 and action = 'plans:override:lifted'", uuid_of(org)
    )
    assert json.loads(noted["after"]) == {"feature_key": "projects", "source": "override"}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("of", "--org", "acme"), 2, "--org is an id"),
        (("give", "--org", "org_01jd4w2q8nf6v9m3x5c7b1r0kt", "--plan", "pro"), 1, "There is nothing here"),
        (("give", "--org", "{org}", "--plan", "gone"), 1, "no such plan"),
        (("give", "--org", "{org}", "--plan", "pro", "--seats", "0"), 2, "--seats is 1 or more"),
        (("give", "--org", "{org}", "--plan", "pro", "--until", "soon"), 2, "--until is a moment"),
        (("give", "--org", "{org}", "--plan", "pro", "--until", "9999-12-31T23:00:00-14:00"), 2, "--until is a moment"),
        (("take", "--org", "{org}"), 1, "was given no such thing"),
        (("lift", "--org", "{org}", "--key", "seats"), 1, "was given no such thing"),
        (("override", "--org", "{org}", "--key", "gone", "--value", "1", "--reason", "x"), 1, "no feature or limit"),
        (("override", "--org", "{org}", "--key", "seats", "--value", "-1", "--reason", "x"), 2, "--value is a number"),
        (("override", "--org", "{org}", "--key", "sso", "--value", "2", "--reason", "x"), 1, "1 or 0"),
        (("override", "--org", "{org}", "--key", "sso", "--value", "1", "--reason", ""), 1, "not acceptable"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    house: Installation, words: tuple[str, ...], code: int, said: str
) -> None:
    _, org = await found(house)
    done = await plans(house, *(word.replace("{org}", org) for word in words))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert not await house.rows("select from tenantry.org_plans where org_id = $1", uuid_of(org))
    assert not await house.rows("select from tenantry.plan_overrides where org_id = $1", uuid_of(org))


async def test_a_bad_plan_file_stops_every_command_with_the_reason(house: Installation) -> None:
    folder = Path(house.runtime.settings.data)
    plan_file(folder, PLANS.replace('default = "free"', 'default = "gone"'))
    try:
        done = await plans(house, "list")
    finally:
        plan_file(folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "TENANTRY_PLAN_FILE: default: there is no plan gone" in done.stderr


async def test_what_the_guide_types_works_with_the_file_that_it_shows(house: Installation) -> None:
    guide = (ROOT / "docs/howto/plans.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"^```toml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    [typed] = re.findall(r"^<!-- run -->\n```sh\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    _, org = await found(house)
    folder = Path(house.runtime.settings.data)
    plan_file(folder, shown)
    try:
        script = ["bash", "-euc", f'tenantry() {{ {sys.executable} -m tenantry "$@"; }}; org={org}; {typed}']
        done = await run_with_plans(script, house)
    finally:
        plan_file(folder)
    assert done.returncode == 0, done.stderr
    assert '"key":"projects","value":100,"source":"override"' in done.stdout.replace(": ", ":").replace(", ", ",")
