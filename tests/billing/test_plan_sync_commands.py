"""`tenantry plans diff` and `tenantry plans sync` as an operator types them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from shop_kit import PLANS, Shop, plan_file, shop, typed

from tenantry.testing import Installation

TENANTRY = ("python", "-m", "tenantry", "plans")


@pytest.fixture
async def stripe() -> AsyncIterator[tuple[Shop, str]]:
    async with shop() as found:
        yield found


async def test_a_diff_says_what_a_sync_does_and_that_nothing_is_left(
    billing_house: Installation, stripe: tuple[Shop, str], tmp_path: Path
) -> None:
    (local, url), plans = stripe, plan_file(tmp_path)
    told = await typed(billing_house, url, plans, *TENANTRY, "diff", "--json")
    assert told.returncode == 1, told.stderr
    due = json.loads(told.stdout)
    assert (due["mode"], due["warnings"]) == ("test", [])
    assert "make the price tenantry_pro_1_month_jpy: 150000 jpy a month" in due["to_do"]
    tried = await typed(billing_house, url, plans, *TENANTRY, "sync", "--dry-run", "--json")
    assert (tried.returncode, json.loads(tried.stdout), local.written) == (0, due, [])

    done = await typed(billing_house, url, plans, *TENANTRY, "sync", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"mode": "test", "warnings": [], "done": due["to_do"]}
    written = len(local.written)
    for words in (("diff",), ("sync",)):
        again = await typed(billing_house, url, plans, *TENANTRY, *words)
        assert again.returncode == 0, again.stderr
        assert "mode: test\nwarnings: 0\n" in again.stdout
    assert len(local.written) == written


async def test_a_live_key_is_pointed_out(billing_house: Installation, tmp_path: Path) -> None:
    async with shop(secret_key="sk_live_local") as (_, url):
        key = {"TENANTRY_STRIPE_SECRET_KEY": "sk_live_local"}
        told = await typed(billing_house, url, plan_file(tmp_path), *TENANTRY, "diff", **key)
    assert told.returncode == 1
    assert told.stdout.startswith('mode: live\nwarnings: 1\n"The key is live: ')


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"TENANTRY_STRIPE_SECRET_KEY": ""}, 1, "Billing is off"),
        ({"TENANTRY_PLAN_FILE": ""}, 1, "TENANTRY_PLAN_FILE"),
        ({"TENANTRY_STRIPE_API_BASE": "http://127.0.0.1:9"}, 3, "Stripe cannot be asked"),
        ({"TENANTRY_STRIPE_SECRET_KEY": "sk_test_of_nobody"}, 3, "does not take our key"),
    ],
)
async def test_what_is_missing_is_said(
    billing_house: Installation, stripe: tuple[Shop, str], tmp_path: Path, given: dict[str, str], code: int, said: str
) -> None:
    local, url = stripe
    done = await typed(billing_house, url, plan_file(tmp_path, PLANS), *TENANTRY, "sync", **given)
    assert (done.returncode, done.stdout, local.written) == (code, "", []), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
