"""`docs/howto/stripe.md`: what it types works, and what it lists is what the code has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from billing_kit import environ, event, tell
from shop_kit import plan_file, shop, typed

from tenantry.billing import stripe
from tenantry.billing.models import SUBJECTS
from tenantry.billing.stripe.catalogue import FOLDERS
from tenantry.foundation.domain import Registry
from tenantry.testing import Databases, installed

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/howto/stripe.md").read_text(encoding="utf-8")
RUN = re.compile(r"^<!-- run -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PERMISSION = re.compile(r"^\| [\w ]+ \| (read|write) \| `([\w/]+)`", re.MULTILINE)


async def test_what_the_guide_types_works_as_it_stands(
    databases: Databases, registry: Registry, tmp_path: Path
) -> None:
    [toml] = re.findall(
        r"^```toml\n(.*?)^```$", (ROOT / "docs/howto/plans.md").read_text(encoding="utf-8"), re.M | re.S
    )
    async with shop() as (local, url), databases.fresh() as database:
        settings = environ(url) | {"TENANTRY_STRIPE_SECRET_KEY": "sk_test_local"}
        async with installed(database, tmp_path, registry=registry, environ=settings) as house:
            told = event("customer.subscription.updated", {"id": "sub_of_nobody", "customer": "cus_of_nobody"})
            assert (await tell(house, told)).status == 202
            await house.drain_jobs()
            blocks = RUN.findall(GUIDE)
            assert len(blocks) == 2
            script = f"set -euo pipefail\nnotice={told['id']}\n" + "".join(blocks)
            done = await typed(house, url, plan_file(tmp_path, toml), "bash", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "to do: 0\n" in done.stdout
    assert local.sold()["prices"]["tenantry_pro_1_month_eur"][1] == 1200


def test_the_guide_lists_the_events_that_are_heard() -> None:
    blocks = re.findall(r"^```text\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert any(block.split() == sorted(SUBJECTS) for block in blocks)


def test_the_guide_names_the_version_that_is_spoken() -> None:
    assert set(re.findall(r"\b20\d\d-\d\d-\d\d\.\w+", GUIDE)) == {stripe.VERSION}


def test_the_guide_asks_for_the_permissions_that_the_calls_need_and_for_no_others() -> None:
    needed: dict[str, str] = {}
    for folder, method in _calls():
        needed[folder] = "read" if method == "get" and needed.get(folder) != "write" else "write"
    assert {folder: level for level, folder in PERMISSION.findall(GUIDE)} == needed


def _calls() -> Iterator[tuple[str, str]]:
    """What Stripe is asked for, as folder and method, read off the code that asks."""
    for path in (ROOT / "src/tenantry/billing/stripe").glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.AsyncFunctionDef) and path.stem not in {"account", "transport"}:
                yield from _asked(function)


def _asked(function: ast.AsyncFunctionDef) -> Iterator[tuple[str, str]]:
    named = {
        target.id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name == "_every":
            yield from ((folder, "get") for folder in _folders(call.args[1], named))
        elif name == "ask" and not (isinstance(call.args[1], ast.Name) and call.args[1].id not in named):
            method = ast.literal_eval(call.args[0])
            yield from ((folder, method) for folder in _folders(call.args[1], named))


def _folders(path: ast.expr, named: dict[str, ast.expr]) -> list[str]:
    if isinstance(path, ast.Name):
        return _folders(named[path.id], named)
    if isinstance(path, ast.Call):
        return _folders(path.args[0], named)
    if isinstance(path, ast.JoinedStr):
        head = path.values[0]
        return _folders(head.value if isinstance(head, ast.FormattedValue) else head, named)
    if isinstance(path, ast.Subscript):
        return list(FOLDERS.values())
    words = str(ast.literal_eval(path)).split("/")
    # a folder of two words is one
    return ["/".join(words[:2]) if words[0] in {"billing", "billing_portal", "checkout", "entitlements"} else words[0]]


@pytest.mark.parametrize("variable", sorted(set(re.findall(r"\bTENANTRY_[A-Z_]+[A-Z]\b", GUIDE))))
def test_the_guide_names_settings_that_there_are(registry: Registry, variable: str) -> None:
    known = {f"TENANTRY_{name.upper()}" for section in registry.sections for name in section.__struct_fields__}
    assert variable.removesuffix("_FILE") in known
