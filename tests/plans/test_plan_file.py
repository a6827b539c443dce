"""The plan file: what it may say, what is refused at the start, and what goes without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from plan_kit import PLANS, plan_file

from tenantry.plans.models import EVERYTHING
from tenantry.plans.settings import LARGEST_FILE, PlanSettings, read_catalogue
from tenantry.settings import BadSettings, read_settings

FREE = 'default = "free"\n[[plans]]\nkey = "free"\nname = "Free"\n'


def start(path: str) -> None:
    environ = {"TENANTRY_ENVIRONMENT": "development", "TENANTRY_PLAN_FILE": path}
    read_settings([PlanSettings], environ=environ, dotenv=None)


def test_the_newest_version_is_sold_and_the_others_are_known(tmp_path: Path) -> None:
    catalogue = read_catalogue(plan_file(tmp_path))
    assert [(plan.key, plan.version) for plan in catalogue.latest.values()] == [("free", 1), ("pro", 2), ("all", 1)]
    old, lost = catalogue.plan("pro", 1), catalogue.plan("pro", 7)
    assert old is not None
    assert lost is not None
    assert (old.name, lost.version, catalogue.plan("gone", 1)) == ("Pro (2025)", 2, None)
    assert catalogue.fallback.key == "free"


def test_a_good_file_starts_and_without_one_there_is_everything(tmp_path: Path) -> None:
    start(plan_file(tmp_path))
    start("")
    assert PlanSettings().catalogue is EVERYTHING
    assert EVERYTHING.fallback.has("whatever")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FREE.replace('"free"', '"gone"', 1), "there is no plan gone"),
        (FREE + '[[plans]]\nkey = "free"\nname = "Again"\n', "free version 1 is there twice"),
        (FREE + 'features = ["sso"]\n', "free version 1: sso is not among the features"),
        (FREE + "limits = { seats = 3 }\n", "free version 1: seats is not among the limits"),
        (FREE + 'soft = ["seats"]\n', "free version 1: seats is soft, and is not limited"),
        (FREE + "limits = { seats = -1 }\n", "$.plans[0].limits"),
        (FREE + "colour = 3\n", "unknown field `colour`"),
        (FREE + 'prices = [{ amount = 1, currency = "EUR" }]\n', "$.plans[0].prices[0].currency"),
        (FREE + 'prices = [{ amount = 1.5, currency = "eur" }]\n', "$.plans[0].prices[0].amount"),
        (FREE + 'prices = [{ amount = 1, currency = "eur" }, { amount = 2, currency = "eur" }]\n', "two prices"),
        (FREE + 'prices = [{ amount = 1, currency = "eur", per_seat = true }]\n', "and no seats"),
        (FREE + "seats = { least = 5, most = 2 }\n", "the most is less than the least"),
        (FREE + '[features]\nseats = "Seats"\n[limits]\nseats = "Seats"\n', "seats is both"),
        ("default = 'free'\nplans = []\n", "length >= 1"),
        ("default = free", "Invalid"),
        ("x" * (LARGEST_FILE + 1), "larger than"),
    ],
)
def test_a_bad_file_is_refused_at_the_start_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadSettings, match="TENANTRY_PLAN_FILE: ") as refused:
        start(plan_file(tmp_path, text))
    assert said in str(refused.value)


def test_a_missing_file_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"TENANTRY_PLAN_FILE: .*No such file"):
        start(str(tmp_path / "gone.toml"))


@pytest.mark.parametrize("link", ["javascript:alert(1)//{org}", "https://app.example.com/upgrade"])
def test_a_link_to_an_upgrade_names_the_organization_and_is_a_link(link: str) -> None:
    with pytest.raises(BadSettings, match="TENANTRY_LINK_UPGRADE"):
        read_settings([PlanSettings], environ={"TENANTRY_LINK_UPGRADE": link}, dotenv=None)


def test_the_plans_of_these_tests_are_a_good_file(tmp_path: Path) -> None:
    assert not list(read_catalogue(plan_file(tmp_path, PLANS)).faults())
